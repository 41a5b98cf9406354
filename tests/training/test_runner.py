"""An error inside a step."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.helpers import Line, run
from trainer.errors import TrainerError


def test_an_error_of_a_step_is_told_in_one_line(tmp_path) -> None:
    class Lookup(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            row = tf.gather(self.w, tf.fill([tf.shape(inputs["x"])[0]], 7))
            return {"op": inputs["x"] @ self.w + self.b + row}

    with pytest.raises(
        TrainerError, match=r"^a step of the model failed: InvalidArgumentError: .*7 is not in \[0, 2\) \(op \S+\)$"
    ):
        run(tmp_path / "run", {}, make_model=Lookup)
