"""What an export cannot carry, refused before the run begins."""

from __future__ import annotations

import pytest

from callbacks.freeze import Freeze
from tests.helpers import run
from trainer.errors import RequestError


@pytest.mark.parametrize(("name", "message"), [("w", "is a variable"), ("x", "is an input")])
def test_a_variable_or_an_input_is_no_output(tmp_path, name, message) -> None:
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {"f": Freeze(outputs=[name])})
