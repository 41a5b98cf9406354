"""Lines of the standard library's docstrings."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from trainer.data.docstrings import MODULES, load_docstrings, vocabulary, words_of
from trainer.errors import RequestError


def test_lines_and_their_modules() -> None:
    lines = load_docstrings()
    texts, names = (np.asarray(each) for each in (lines.inputs["line"], lines.labels["module"]))
    assert set(names) == set(MODULES)
    assert min(np.unique(names, return_counts=True)[1]) > 100
    assert len(set(texts)) == len(texts)
    assert all(len(words_of(text)) >= 4 for text in texts)
    assert names[texts.tolist().index("Draw a circle with given radius.")] == "turtle"
    assert "turtle" not in sys.modules


def test_the_order_is_always_the_same() -> None:
    assert load_docstrings().inputs["line"].tolist() == load_docstrings().inputs["line"].tolist()
    words = vocabulary(500)
    assert (len(words), len(set(words)), words) == (500, 500, vocabulary(500))


@pytest.mark.parametrize("name", ["math", "no_such_module", "sys"])
def test_a_module_without_a_source_file_is_refused(name) -> None:
    with pytest.raises(RequestError, match=f"modules: '{name}' has no source file"):
        load_docstrings([name, "turtle"])
