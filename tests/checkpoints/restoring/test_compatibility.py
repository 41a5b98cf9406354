"""A graph that does not fit its checkpoint."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.helpers import Line, run
from trainer.errors import RequestError

v1 = tf.compat.v1


def test_a_checkpoint_that_does_not_fit_is_refused_with_a_table(tmp_path) -> None:
    run(tmp_path / "run", epochs=1)

    class Wider(Line):
        def __init__(self) -> None:
            self.w = v1.get_variable("w", [2, 1], tf.float64)
            self.b = v1.get_variable("c", [1])

        def __call__(self, inputs: Any, training: bool) -> Any:
            return {"op": inputs["x"] @ tf.cast(self.w, tf.float32) + self.b}

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(RequestError) as refused:
        run(tmp_path / "run", epochs=2, make_model=Wider)
    for line in ["w: graph float64 [2, 1], file float32 [2, 1]", "c: graph", "b: not in the graph"]:
        assert line in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
