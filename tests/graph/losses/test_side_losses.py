"""Losses that layers and collections add beside a model's own loss: each counts once, in every part of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import points
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.graph.build import open_graph
from trainer.graph.data.data_source import inspect_source
from trainer.graph.evaluation import measure

v1 = tf.compat.v1


class Plain:
    """Linear model of one variable of ones, whose own loss is the mean of its outputs."""

    def __init__(self) -> None:
        self.make()

    def make(self) -> None:
        self.w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(outputs["op"])


class OfGetVariable(Plain):
    def make(self) -> None:
        self.w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer(), regularizer=tf.nn.l2_loss)


class AddedByTheModel(OfGetVariable):
    def loss(self, outputs: Any, labels: Any) -> Any:
        return super().loss(outputs, labels) + v1.losses.get_regularization_loss()


class TotalLoss(OfGetVariable):
    def loss(self, outputs: Any, labels: Any) -> Any:
        v1.losses.add_loss(super().loss(outputs, labels))
        return v1.losses.get_total_loss()


class OfConstructor(Plain):
    def make(self) -> None:
        super().make()
        v1.losses.add_loss(tf.nn.l2_loss(self.w), v1.GraphKeys.REGULARIZATION_LOSSES)


class OfCall(Plain):
    def __call__(self, inputs: Any, training: bool) -> Any:
        v1.losses.add_loss(tf.nn.l2_loss(self.w))
        return super().__call__(inputs, training)


class InCollectionAlready(Plain):
    """A loss of ``tf.compat.v1.losses`` is in the collection, and is what the model returns."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        zeros = tf.zeros_like(outputs["op"])
        return super().loss(outputs, labels) + 0.0 * v1.losses.absolute_difference(zeros, outputs["op"]) + 1.0


class OfKeras(Plain):
    def make(self) -> None:
        self.layer = keras.layers.Dense(
            1, use_bias=False, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5)
        )

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.layer(inputs["x"])}


class KerasAddedByTheModel(OfKeras):
    def loss(self, outputs: Any, labels: Any) -> Any:
        return super().loss(outputs, labels) + tf.add_n(self.layer.losses)


class FoundTwice(OfKeras):
    """The layer is an attribute, and part of another attribute."""

    def make(self) -> None:
        super().make()
        self.whole = keras.Sequential([keras.Input([2]), self.layer])


class InAFunction(OfKeras):
    def make(self) -> None:
        super().make()
        layer = self.__dict__.pop("layer")
        self.function = lambda x: layer(x)

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.function(inputs["x"])}


GLOBAL: dict[str, Any] = {}


def through_the_global(x: Any) -> Any:
    return GLOBAL["layer"](x)


class InAGlobal(OfKeras):
    """The layer is in a global of the module, which a function of the module uses."""

    def make(self) -> None:
        super().make()
        GLOBAL["layer"] = self.__dict__.pop("layer")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": through_the_global(inputs["x"])}


class Activity(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        self.add_loss(tf.constant(0.5))
        return x


class OfAddLoss(Plain):
    def make(self) -> None:
        super().make()
        self.activity = Activity()

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.activity(self.activity(inputs["x"])) @ self.w}


class OfAVector(OfAddLoss):
    def make(self) -> None:
        super().make()
        self.activity.call = lambda x: self.activity.add_loss(tf.constant([0.25, 0.75])) or x

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.activity(inputs["x"]) @ self.w}


class InALoop(OfAddLoss):
    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": tf.map_fn(self.activity, inputs["x"]) @ self.w}


class Frozen(OfKeras):
    def make(self) -> None:
        super().make()
        self.layer.trainable = False
        self.w = v1.get_variable("w", [], initializer=v1.ones_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.layer(inputs["x"]) + 0.0 * self.w}


ADDED: dict[type[Plain], float] = {
    Plain: 0.0,
    OfGetVariable: 1.0,
    AddedByTheModel: 1.0,
    TotalLoss: 1.0,
    OfConstructor: 1.0,
    OfCall: 1.0,
    InCollectionAlready: 1.0,
    OfKeras: 1.0,
    KerasAddedByTheModel: 1.0,
    FoundTwice: 1.0,
    InAFunction: 1.0,
    InAGlobal: 1.0,
    OfAddLoss: 1.0,
    OfAVector: 1.0,
    Frozen: 0.0,
}
"""What is added to the mean of the outputs, by model."""


def opened(model: Callable[[], Any]) -> Any:
    """Returns the opened graph of a model that is trained with a rate of 1."""
    source = inspect_source(InMemory(points(), 8))
    return open_graph(model, lambda *_: keras.optimizers.SGD(1.0), source, 0, "off", steps_per_epoch=5)


@pytest.mark.parametrize("model", ADDED)
def test_a_loss_on_the_side_counts_once_in_training_inference_and_evaluation(model) -> None:
    built = opened(model)
    context, x = built.context, points().all["x"][:8]
    labels = points().all["y"][:8]
    inference = context.inference
    with context.graph.as_default(), v1.Session() as session:
        step = tf.function(built.update, autograph=False)(inference.inputs, inference.labels)
        evaluated = tf.function(lambda *batch: measure(context, *batch).row, autograph=False)
        evaluation = evaluated(inference.inputs, inference.labels)
        session.run(v1.global_variables_initializer())
        fed = {"x:0": x, "y:0": labels}
        before = session.run([inference.loss, evaluation[0]], fed)
        trained = session.run(step[0], fed)
        weights = session.run(next(iter(context.model_variables.values())))
    own = np.mean(x.sum(axis=1))
    np.testing.assert_allclose([*before, trained], own + ADDED[model], rtol=1e-5)
    if model not in (Plain, OfAddLoss, OfAVector, InCollectionAlready, Frozen):
        # The gradient of the squares' half sum is the weight itself, 1.
        np.testing.assert_allclose(weights[:, 0], 1.0 - x.mean(axis=0) - 1.0, atol=1e-5)


class Stale(Plain):
    """A regularizer as a tensor of the constructor."""

    def make(self) -> None:
        super().make()
        self.penalty = tf.nn.l2_loss(self.w)

    def loss(self, outputs: Any, labels: Any) -> Any:
        return super().loss(outputs, labels) + self.penalty


@pytest.mark.parametrize(
    ("model", "message"),
    [(InALoop, "inside a tf.cond, tf.while_loop or tf.map_fn"), (Stale, "'L2Loss:0', which was made outside .* 'w'")],
)
def test_a_loss_that_cannot_be_right_is_refused(model, message) -> None:
    with pytest.raises(RequestError, match=message):
        opened(model)


def test_what_is_added_is_said_and_is_in_no_export(caplog) -> None:
    caplog.set_level("INFO")
    assert opened(OfKeras).update.added_losses == ("the regularizer of dense/kernel",)
    assert "as keras.Model.fit does: the regularizer of dense/kernel" in caplog.text
