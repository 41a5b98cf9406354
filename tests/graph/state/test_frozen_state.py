"""Variables that a model assigns in training and that lie in a frozen part keep their bits."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import job, points, run, variables
from trainer.data.arrays import InMemory
from trainer.graph.build import open_graph
from trainer.graph.data.data_source import inspect_source
from trainer.graph.state.frozen_state import names_in_frozen_parts
from trainer.training.train import train_job

v1 = tf.compat.v1


class Head:
    """Head of one product, with a state of its own, on a body."""

    def __init__(self) -> None:
        self.make_body()
        with v1.variable_scope("head"):
            self.w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
            self.calls = v1.get_variable("calls", [], initializer=v1.zeros_initializer(), trainable=False)

    def __call__(self, inputs: Any, training: bool) -> Any:
        if training:
            self.calls.assign_add(1.0)
        return {"op": self.body(inputs["x"], training) @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))

    def make_body(self) -> None:
        with v1.variable_scope("body"):
            self.scale = v1.get_variable("scale", [2], initializer=v1.ones_initializer())
            self.mean = v1.get_variable("mean", [2], initializer=v1.zeros_initializer(), trainable=False)

    def body(self, x: Any, training: bool) -> Any:
        if training:
            average = 0.9 * self.mean + 0.1 * tf.reduce_mean(x, axis=0)
            v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign(self.mean, average))
        return (x - self.mean) * self.scale


class Branch(Head):
    """The assignment is inside a branch."""

    def body(self, x: Any, training: bool) -> Any:
        if training:
            tf.cond(tf.reduce_sum(x) > -1e9, lambda: self.mean.assign_add([1.0, 1.0]), lambda: self.mean.read_value())
        return x * self.scale


class Fused(Head):
    """Batch normalisation by TensorFlow's own op."""

    def body(self, x: Any, training: bool) -> Any:
        if training:
            _, mean, _ = v1.nn.fused_batch_norm(x[:, None, None, :], self.scale, tf.zeros([2]), is_training=True)
            self.mean.assign_sub(0.1 * (self.mean - mean))
        return x * self.scale


class Counting(keras.layers.Layer):  # type: ignore[misc]
    """Layer with a state that it changes however it is called, and dropout."""

    def __init__(self) -> None:
        super().__init__(name="counting")
        self.kernel = self.add_weight(shape=[2], initializer="ones", name="kernel")
        self.count = self.add_weight(shape=[], initializer="zeros", trainable=False, name="count")
        self.dropout = keras.layers.Dropout(0.5, seed=1)

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.count.assign(self.count + 1.0)
        return self.dropout(x * self.kernel, training=training)


class Layer(Head):
    def make_body(self) -> None:
        self.layer = Counting()

    def body(self, x: Any, training: bool) -> Any:
        return self.layer(x, training=training)


class Nested(Layer):
    """The state is in a layer without a trainable variable, and no scope is common to it and the kernel."""

    class Whole(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm = keras.layers.BatchNormalization(center=False, scale=False, name="alone")
            self.dense = keras.layers.Dense(2, name="below")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.dense(self.norm(x, training=training))

    def make_body(self) -> None:
        self.layer = self.Whole()


class Spectral(tf.Module):  # type: ignore[misc]
    """Module that assigns its frozen kernel, and a vector beside it, in training."""

    def __init__(self) -> None:
        super().__init__(name="spectral")
        with self.name_scope:
            self.kernel = tf.Variable([[2.0, 0.0], [0.0, 1.0]], name="kernel")
            self.u = tf.Variable([1.0, 0.5], name="u", trainable=False)

    def __call__(self, x: Any, training: bool) -> Any:
        if training:
            self.u.assign(tf.math.l2_normalize(tf.linalg.matvec(self.kernel, self.u)))
            self.kernel.assign(self.kernel / 2.0)
        return x @ self.kernel


class Module(Layer):
    def make_body(self) -> None:
        self.layer = Spectral()


@pytest.mark.parametrize("model", [Head, Branch, Fused, Layer, Nested, Module])
def test_the_state_of_a_frozen_part_keeps_its_bits(model) -> None:
    source = inspect_source(InMemory(points(), batch_size=8))
    options = {"steps_per_epoch": 5, "trainable": ["head/*"]}
    built = open_graph(model, lambda *_: keras.optimizers.SGD(0.1), source, 0, "off", **options)
    fed = {"x:0": points().all["x"][:8], "y:0": points().all["y"][:8]}
    with built.context.graph.as_default(), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        before = session.run(dict(built.context.model_variables))
        for _ in range(3):
            session.run("train_step", fed)
        after = session.run(dict(built.context.model_variables))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    seeds = {name for name in before if "seed_generator" in name}
    assert changed == {"head/w", "head/calls"} | seeds
    assert seeds or model is not Layer


def test_frozen_state_keeps_its_bits_in_calls_of_many_steps_and_over_a_resume(tmp_path) -> None:
    changes = {"make_model": Head, "trainable": ["head/w"], "compile": "xla"}
    run(tmp_path / "run", epochs=1, **changes)
    train_job(job(tmp_path / "run", epochs=2, **changes))
    found = variables(tmp_path / "run/checkpoints/model-2")
    assert found["body/mean"].tolist() == [0.0, 0.0]
    assert found["head/calls"] == 10


@pytest.mark.parametrize(
    ("trained", "frozen", "expected"),
    [
        (["head/w"], ["body/w"], {"body/w", "body/n/mean"}),
        (["head/w", "body/w"], [], set()),
        (["body/w"], ["head/w"], {"head/w", "head/mean"}),
        (["body/w"], ["body/n/gamma"], {"body/n/gamma", "body/n/mean"}),
        (["w"], ["v"], {"v"}),
        ([], ["v"], {"v", "steps", "head/mean", "body/n/mean"}),
    ],
)
def test_a_part_is_the_nearest_scope_with_a_trainable_variable(trained, frozen, expected) -> None:
    names = ["steps", "head/mean", "body/n/mean", *trained, *frozen]
    assert names_in_frozen_parts(names, trained, frozen) == expected
