"""Models that compare tensors with ``==`` and ``!=``."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.helpers import Line, points
from trainer.data.arrays import InMemory
from trainer.graph.build import open_graph
from trainer.graph.data.data_source import inspect_source
from trainer.graph.ops.equality import compared_by_value

v1 = tf.compat.v1


class Comparing(Line):
    """The output counts the features that equal the first one; the metric is an accuracy."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        same = tf.cast(inputs["x"] == inputs["x"][:, :1], tf.float32)
        return {"op": tf.reduce_sum(same, axis=1, keepdims=True) + 0.0 * self.w[0] + 0.0 * self.b}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.cast(outputs["op"] != labels["y"], tf.float32) + 0.0 * outputs["op"])

    def metrics(self, outputs: Any, labels: Any) -> Any:
        return {"accuracy": tf.reduce_mean(tf.cast(outputs["op"] == labels["y"], tf.float32))}


def test_a_model_compares_values_in_inference_and_in_training() -> None:
    source = inspect_source(InMemory(points(), batch_size=8))
    built = open_graph(Comparing, lambda *_: keras.optimizers.SGD(0.1), source, 0, "off", steps_per_epoch=5)
    inference = built.context.inference
    with built.context.graph.as_default(), v1.Session() as session:
        step = tf.function(built.update, autograph=False)(inference.inputs, inference.labels)
        session.run(v1.global_variables_initializer())
        fed = {"x:0": np.float32([[1, 1], [1, 2]]), "y:0": np.float32([[2], [2]])}
        assert session.run(inference.outputs["op"], fed)[:, 0].tolist() == [2.0, 1.0]
        assert session.run([inference.loss, step], fed)[0] == 0.5
        assert session.run(step, fed).tolist() == [0.5, 0.5, np.float32(0.1)]


def test_objects_are_compared_again_afterwards_also_after_an_error() -> None:
    with tf.Graph().as_default():
        x = tf.constant(1)
        try:
            with compared_by_value():
                assert (x == 1) is not False
                assert (x == None) is False  # noqa: E711
                raise RuntimeError
        except RuntimeError:
            assert (x == 1) is False
        assert x in (None, x)
