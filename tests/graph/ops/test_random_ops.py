"""Stateful random ops of a model are said wherever they are; those that checkpoints hold are not."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.helpers import Line, run


class InABranch(Line):
    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"]
        noise = tf.cond(self.b[0] > -9.0, lambda: tf.random.normal([2], name="noise"), lambda: tf.zeros([2]))
        return super().__call__({"x": x + noise if training else x}, training)


class InALoop(Line):
    def __call__(self, inputs: Any, training: bool) -> Any:
        def add(i: Any, x: Any) -> Any:
            return i + 1, x + tf.random.uniform([2], name="noise")

        x = inputs["x"]
        return super().__call__({"x": tf.while_loop(lambda i, _: i < 3, add, [0, x])[1] if training else x}, training)


class Outside(Line):
    """Draws in the constructor, outside all functions: one draw for each call into the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = tf.random.truncated_normal([2], name="noise")

    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"]
        return super().__call__({"x": x + self.noise if training else x}, training)


class InInference(Line):
    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"]
        return super().__call__({"x": x if training else x + tf.random.normal([2], name="noise")}, training)


class InMetrics(Line):
    def metrics(self, outputs: Any, labels: Any) -> Any:
        return {"first": tf.random.shuffle(outputs["op"][:, 0], name="noise")[0]}


class Kept(Line):
    """Draws whose state is in variables, and initial values."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.generator = keras.layers.Dropout(0.2), tf.random.Generator.from_seed(1)
        self.start = tf.Variable(tf.random.normal([2]), name="start")

    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"] + self.start
        return super().__call__(
            {"x": self.dropout(x, training=True) + self.generator.normal([2]) if training else x}, training
        )


@pytest.mark.parametrize("model", [InABranch, InALoop, Outside, InInference, InMetrics])
def test_a_random_op_is_said_with_name_and_line(model, tmp_path, caplog) -> None:
    run(tmp_path / "run", {}, make_model=model, epochs=1)
    (said,) = [each.message for each in caplog.records if "random state outside the checkpoint" in each.message]
    assert "noise" in said
    assert __file__ in said


def test_random_state_in_variables_is_not_said(tmp_path, caplog) -> None:
    run(tmp_path / "run", {}, make_model=Kept, epochs=1)
    assert "random state" not in caplog.text
