"""What is not an optimizer."""

from __future__ import annotations

import pytest

from tests.helpers import run
from trainer.errors import RequestError


def test_a_wrong_optimizer_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match="it must be a Keras optimizer"):
        run(tmp_path / "run", make_optimizer=lambda _step, _scale: "sgd")
