"""Keras models as people have them, trained in a graph from their weights to the trained ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4))
Y = X[:, :1] - 2 * X[:, 1:2]


class Scaled(keras.layers.Layer):
    """Layer of a user's own, local to a module."""

    def __init__(self, factor: float = 1.0, **others: Any) -> None:
        super().__init__(**others)
        self.factor = factor

    def build(self, shape: Any) -> None:
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x: Any) -> Any:
        return x * self.gain * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


class Plain(keras.Model):
    size = 3

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = keras.layers.Dense(self.size, activation="tanh"), keras.layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.last(self.first(x))


class Sized(Plain):
    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()

    def get_config(self) -> dict[str, Any]:
        return {"size": self.size}


class Opaque(Plain):
    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()


def sequential(*layers: Any, shape: Any = (4,)) -> keras.Model:
    first = [] if shape is None else [keras.Input(shape)]
    return keras.Sequential([*first, *(layers or [keras.layers.Dense(3)]), keras.layers.Dense(1)])


def two_ways() -> keras.Model:
    x = keras.Input((4,), name="x")
    shared = keras.layers.Dense(2, name="shared")
    body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Lambda(lambda v: v * FACTOR)])
    both = keras.layers.Concatenate()([shared(x), shared(body(x))]) + 1.0
    return keras.Model(x, keras.layers.Dense(1, name="out")(both))


FACTOR = 0.5

MODELS: dict[str, Callable[[], keras.Model]] = {
    "sequential": sequential,
    "not built": lambda: sequential(shape=None),
    "dropout and averages": lambda: sequential(keras.layers.Dropout(0.5), keras.layers.BatchNormalization()),
    "a layer of its own": lambda: sequential(Scaled(0.5), keras.layers.Dense(2)),
    "functional, shared, nested, lambda": two_ways,
    "subclassed": Plain,
    "subclassed, with a config": lambda: Sized(5),
}


def called(model: keras.Model) -> keras.Model:
    """Returns a model that was used on a batch before, as in a notebook."""
    model(X[:2].astype(np.float32))
    return model


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_it_begins_with_its_weights_and_ends_with_the_trained_ones(make, tmp_path) -> None:
    model = make() if make is MODELS["not built"] else called(make())
    model.compile("sgd", "mse", metrics=["mae", keras.metrics.MeanSquaredError(name="again")])
    before = [each.copy() for each in model.get_weights()]
    still = keras.optimizers.SGD(0.0)
    fit(model, tmp_path / "still", optimizer=still)
    for variable, value in zip(model.weights, before, strict=False):
        assert "moving" in variable.path or (variable.numpy() == value).all()
    result = fit(model, tmp_path / "run", epochs=3)
    assert result.metrics[-1]["loss"] == pytest.approx(result.metrics[-1]["again"])
    expected = model.predict(X, verbose=0)
    with result.predictor() as predictor:
        (name,) = predictor(x=X[:1].astype(np.float32))
        np.testing.assert_allclose(predictor(x=X.astype(np.float32))[name], expected, rtol=1e-5, atol=1e-6)
    assert not before or any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    # Keras goes on with it.
    assert np.isfinite(model.fit(X, Y, epochs=1, verbose=0).history["loss"][0])


def fit(model: keras.Model, directory: Any, **changes: Any) -> trainer.Result:
    parts = {"epochs": 1, "batch_size": 16, "directory": directory, "verbose": False, "compile": "off", **changes}
    return trainer.fit(model, (X, Y), **parts)


def test_the_steps_are_those_of_keras(tmp_path) -> None:
    model, other = called(sequential()), called(sequential())
    other.set_weights(model.get_weights())
    for each in (model, other):
        each.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
    history = other.fit(X, Y, batch_size=16, epochs=4, shuffle=False, verbose=0, validation_data=(X[:9], Y[:9])).history
    result = fit(model, tmp_path / "run", epochs=4, shuffle=False, validation=(X[:9], Y[:9]))
    for name in ("loss", "mae", "val_loss", "val_mae"):
        np.testing.assert_allclose([each[name] for each in result.metrics], history[name], rtol=1e-4)
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_a_complete_run_gives_its_weights_again(tmp_path) -> None:
    first = called(sequential())
    fit(first, tmp_path / "run", optimizer="adam", loss="mse")
    second = called(sequential())
    again = fit(second, tmp_path / "run", optimizer="adam", loss="mse")
    assert again.reason == "epoch 1 of 1 is complete"
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        assert (one == other).all()


def test_weights_of_examples_and_parts_of_labels(tmp_path) -> None:
    x = keras.Input((4,))
    model = keras.Model(x, {"a": keras.layers.Dense(1, name="a")(x), "b": keras.layers.Dense(3, name="b")(x)})
    labels = {"a": Y, "b": (Y[:, 0] > 0).astype(int)}
    losses = {"a": "mse", "b": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    weights = np.where(np.arange(48) < 24, 1.0, 0.0)
    result = trainer.fit(
        model, (X, labels, weights), "adam", loss=losses, epochs=1, directory=tmp_path / "run", verbose=False
    )
    assert {"a_loss", "b_loss"} <= set(result.metrics[0])


def test_a_function_of_a_keras_model_is_made_in_the_graph(tmp_path) -> None:
    result = trainer.fit(
        Plain, (X, Y), "adam", loss="mse", metrics=["mae"], epochs=1, directory=tmp_path / "run", verbose=False
    )
    model = called(Plain())
    trainer.load_into(model, result.directory)
    with result.predictor() as predictor:
        (values,) = predictor(x=X).values()
        np.testing.assert_allclose(values, model(X), rtol=1e-5, atol=1e-6)


class OwnStep(Plain):
    def train_step(self, data: Any) -> Any:
        return {}


def in_a_graph() -> keras.Model:
    with tf.Graph().as_default():
        return sequential()


REFUSED: dict[str, tuple[Callable[[], keras.Model], dict[str, Any], str]] = {
    "arguments": (
        lambda: called(Opaque(2)),
        {},
        r"made again .*takes size\); give Opaque a method get_config",
    ),
    "no loss": (sequential, {"loss": None}, "is not compiled and no loss is given; add loss='mse'"),
    "a loss": (sequential, {"loss": "mae_"}, r"loss \('mae_'\) is no name in keras.losses; there are: "),
    "a step": (lambda: called(OwnStep()), {}, "OwnStep overrides train_step"),
    "a graph": (in_a_graph, {}, "was built inside a graph"),
    "no optimizer": (sequential, {"optimizer": None}, "no optimizer is given"),
}


@pytest.mark.parametrize(("make", "changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_refused_by_name(make, changes, message, tmp_path) -> None:
    with pytest.raises(trainer.RequestError, match=message):
        fit(make(), tmp_path / "run", **{"loss": "mse", "optimizer": "adam", **changes})
    assert list(tmp_path.iterdir()) == []
