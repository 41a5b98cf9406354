"""Feed dicts: arrays and numbers by the names of placeholders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from trainer.data.feeds import Feeds
from trainer.errors import RequestError


def feeds() -> Iterator[Any]:
    for start in range(3):
        yield {"x": np.full((4, 2), start), "y:0": np.zeros(4), "keep_prob": 0.5}


def test_a_feed_is_inputs_and_all_others_and_numbers_are_there_for_each_example() -> None:
    (inputs, others), *more = Feeds(feeds, inputs=["x"]).dataset()
    assert (list(inputs), list(others), len(more)) == (["x"], ["y", "keep_prob"], 2)
    np.testing.assert_array_equal(others["keep_prob"], [0.5] * 4)


def test_it_has_no_labels_where_all_are_inputs() -> None:
    element = next(Feeds(lambda: iter([{"z": np.zeros((4, 2))}]), inputs=["z"]).dataset())
    assert list(element) == ["z"]


def test_validation_parts_have_the_same_form() -> None:
    parts = Feeds(feeds, inputs=["x"], validation={"books": feeds}).validation
    assert list(next(parts["books"]())[1]) == ["y", "keep_prob"]


REFUSED = {
    "a list": (feeds(), "pass the generator function itself"),
    "no dict": (lambda: iter([np.zeros(3)]), "feeds yields ndarray; it must yield dicts"),
    "tensors as keys": (lambda: iter([{3: np.zeros(3)}]), "yields dict; it must yield dicts of arrays by the names"),
    "another name": (lambda: iter([{"xs": np.zeros(3)}]), "feeds yields no 'x'; did you mean xs"),
    "numbers alone": (lambda: iter([{"x": 1.0}]), r"yields numbers alone \(x\)"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_feed_is_refused_by_name(kind) -> None:
    made, message = REFUSED[kind]
    with pytest.raises(RequestError, match=message):
        list(Feeds(made, inputs=["x"]).dataset())
