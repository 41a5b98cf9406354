"""Several losses by name: their sum is trained on, and each is reported over the epoch and the validation part."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.metrics import Metrics
from tests.helpers import Line, run
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import RequestError

X = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
WEIGHT = np.linspace(0.0, 2.0, 30).astype(np.float32)
ARRAYS = Arrays({"x": X}, {"y": X.sum(1, keepdims=True), "weight": WEIGHT})


class Still(Line):
    """Model whose weights stay as they are where the learning rate is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.square = lambda outputs, labels: tf.reduce_sum(tf.square(outputs["op"] - labels["y"]), axis=1)

    def metrics(self, outputs: Any, labels: Any) -> Any:
        return {}


class Mean(Still):
    def loss(self, outputs: Any, labels: Any) -> Any:
        return {"near": tf.reduce_mean(self.square(outputs, labels)), "size": tf.reduce_mean(tf.abs(outputs["op"]))}


class Pair(Still):
    """A weighted loss beside a mean."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        weighted = tf.reduce_sum(labels["weight"] * self.square(outputs, labels)), tf.reduce_sum(labels["weight"])
        return {"near": weighted, "size": tf.reduce_mean(tf.abs(outputs["op"]))}


class Quotient(Pair):
    """The same, as a quotient of sums."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        pair, size = super().loss(outputs, labels).values()
        return {"near": pair[0] / pair[1], "size": size}


class OnTheSide(Pair):
    """With a loss on the side, which belongs to the sum alone."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        tf.compat.v1.losses.add_loss(tf.constant(2.0))
        return super().loss(outputs, labels)


def expected(model: type[Still], w: Any, b: Any, part: Arrays) -> dict[str, float]:
    """Returns the losses over a part of the examples, by numpy."""
    op = part.inputs["x"] @ w + b
    square, weight = np.square(op - part.labels["y"])[:, 0], part.labels["weight"]
    near = square.mean() if model is Mean else (weight * square).sum() / weight.sum()
    beside = 2.0 if model is OnTheSide else 0.0
    return {"near": near, "size": np.abs(op).mean(), "loss": near + np.abs(op).mean() + beside}


def streamed(arrays: InMemory) -> Streamed:
    """Returns the same data as pipelines."""

    def examples(part: Any) -> Any:
        return lambda: tf.data.Dataset.from_tensor_slices((dict(part.inputs), dict(part.labels)))

    return Streamed(examples(arrays.train), batch_size=4, validation=examples(arrays.validation))


@pytest.mark.parametrize("model", [Mean, Pair, Quotient, OnTheSide])
@pytest.mark.parametrize("mode", ["off", "xla", "tf.data"])
def test_each_loss_is_weighted_over_the_epoch_and_the_validation_part(tmp_path, model, mode) -> None:
    arrays = InMemory(ARRAYS, batch_size=4, shuffle=False, validation=0.2)
    data = streamed(arrays) if mode == "tf.data" else arrays
    callbacks = {"evaluate": Evaluate(), "metrics": Metrics(), "checkpoint": Checkpoint()}
    state = run(
        tmp_path / "run",
        callbacks,
        make_model=model,
        data=data,
        epochs=1,
        compile="off" if mode == "tf.data" else mode,
        make_optimizer=lambda *_: tf.compat.v1.train.GradientDescentOptimizer(0.0),
    )
    reader = tf.train.load_checkpoint(str(tmp_path / "run/checkpoints/model-1"))
    weights = [reader.get_tensor(name) for name in "wb"]
    values = {name: state.metrics[name] for name in ("near", "size", "loss")}
    assert values == pytest.approx(expected(model, *weights, arrays.train), rel=1e-5)
    values = {name: state.metrics[f"val_{name}"] for name in ("near", "size", "loss")}
    assert values == pytest.approx(expected(model, *weights, arrays.validation), rel=1e-5)
    line = json.loads((tmp_path / "run/metrics.jsonl").read_text())
    assert {"loss", "near", "size", "val_loss", "val_near", "val_size"} <= line.keys()


def test_the_sum_is_trained_on_and_losses_are_watched(tmp_path) -> None:
    class Sum(Mean):
        def loss(self, outputs: Any, labels: Any) -> Any:
            return tf.add_n(list(super().loss(outputs, labels).values()))

    def train(name: str, model: Any, callbacks: Any) -> Any:
        run(tmp_path / name, callbacks, make_model=model, data=InMemory(ARRAYS, batch_size=5), epochs=3)
        reader = tf.train.load_checkpoint(str(tmp_path / name / "checkpoints/model-3"))
        return reader.get_tensor("w")

    watched = {"checkpoint": Checkpoint(keep_best=1, monitor="near"), "freeze": Freeze(outputs=["op"])}
    named = train("named", Mean, watched)
    np.testing.assert_array_equal(named, train("sum", Sum, {"checkpoint": Checkpoint()}))
    assert (tmp_path / "named/export/frozen/model.pb").exists()


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": ({}, r"returned no loss \(\{\}\)"),
    "a reserved name": ({"epoch": 1.0}, "'epoch', a name reserved by the trainer; rename it"),
    "the name of the sum": ({"loss": 1.0}, "'loss', a name reserved"),
    "the prefix of validation": ({"val_a": 1.0}, "'val_a', a name reserved"),
    "a name that is no text": ({1: 1.0}, "returned 1 as a name; it must be a text"),
    "a vector": ({"a": [1.0, 2.0, 3.0]}, r"returned float32 \(3,\) for 'a'; it must return a float scalar"),
    "an integer": ({"a": 1}, r"returned int32 \(\) for 'a'"),
    "None": ({"a": None}, "cannot compute its loss"),
    "the name of a metric": ({"error": 1.0}, "'error', which is the name of a loss; rename one of them"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_loss_is_refused_by_name(tmp_path, what) -> None:
    returned, message = REFUSED[what]
    model = type("Wrong", (Line,), {"loss": lambda self, outputs, labels: returned})
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {}, make_model=model)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_mean_is_said_by_its_name(tmp_path, caplog) -> None:
    class Root(Line):
        def loss(self, outputs: Any, labels: Any) -> Any:
            square = tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))
            largest = tf.reduce_max(tf.abs(outputs["op"]))
            return {"mean": square, "worst": largest / (1.0 + largest)}

    run(tmp_path / "run", {}, make_model=Root, epochs=1)
    assert "worst is no mean over examples" in caplog.text
    assert "mean is no mean" not in caplog.text
