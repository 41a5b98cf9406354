"""Metrics of a whole epoch and of a whole validation part, against Keras and NumPy on all examples at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.evaluate import Evaluate
from tests.helpers import run
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import RequestError

v1 = tf.compat.v1


@keras.saving.register_keras_serializable()
class Largest(keras.metrics.Metric):
    """Largest prediction, and the number of positives: variables of other dtypes and initial values."""

    def __init__(self) -> None:
        super().__init__(name="largest")
        self.largest = self.add_variable((), keras.initializers.Constant(-1.0), dtype="float64", name="largest")
        self.positives = tf.Variable(0, dtype=tf.int64, name="positives", trainable=False)

    def update_state(self, y: Any, p: Any) -> None:
        self.largest.assign(tf.maximum(self.largest.value, tf.cast(tf.reduce_max(p), tf.float64)))
        self.positives.assign_add(tf.cast(tf.reduce_sum(y), tf.int64))

    def reset_state(self) -> None:
        self.largest.assign(-1.0)
        self.positives.assign(0)

    def result(self) -> Any:
        return self.largest.value + tf.cast(self.positives, tf.float64)


KERAS: dict[str, Callable[[], Any]] = {
    "auc": keras.metrics.AUC,
    "accuracy": keras.metrics.BinaryAccuracy,
    "binary_iou": lambda: keras.metrics.BinaryIoU(target_class_ids=[1]),
    "f1": lambda: keras.metrics.F1Score(average="micro", threshold=0.5),
    "largest": Largest,
    "precision": keras.metrics.Precision,
    "r2": keras.metrics.R2Score,
    "recall": keras.metrics.Recall,
    "rmse": keras.metrics.RootMeanSquaredError,
    "wrapped": lambda: keras.metrics.MeanMetricWrapper(lambda y, p: y * p),
}


class Net:
    """Logistic regression with all of these metrics, in all forms."""

    def __init__(self) -> None:
        self.w = tf.Variable([[1.0], [-1.0]], name="w")
        self.keras = {name: make() for name, make in KERAS.items()}
        self.mean, self.sum, self.loss_mean = keras.metrics.Mean(), keras.metrics.Sum(), keras.metrics.Mean()

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"p": tf.sigmoid(inputs["x"] @ self.w)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        """A mean over the positives alone; a batch without any weighs nothing."""
        squares = labels["y"] * tf.square(outputs["p"] - labels["y"])
        self.loss_mean.update_state(tf.reduce_sum(squares))
        return tf.reduce_sum(squares), tf.reduce_sum(labels["y"])

    def metrics(self, outputs: Any, labels: Any) -> Any:
        y, p = labels["y"], outputs["p"]
        for metric in self.keras.values():
            metric.update_state(y, p)
        self.mean.update_state(p, sample_weight=y)
        return {
            **self.keras,
            "f1_by_hand": 2 / (1 / self.keras["precision"].result() + 1 / self.keras["recall"].result()),
            "mean": self.mean.result(),
            "sum": self.sum(p),
            "of_loss": self.loss_mean,
            "hits": (tf.math.count_nonzero((p > 0.5) & (y > 0.5)), tf.reduce_sum(tf.cast(y, tf.float64))),
            "batch_mean": tf.reduce_mean(tf.cast(p, tf.float64)),
            "any": tf.reduce_any(y > -1),
        }


def examples(count: int) -> Arrays:
    """Returns x [count, 2] and y [count, 1], one in four positive."""
    x = np.random.default_rng(1).normal(size=(count, 2)).astype(np.float32)
    return Arrays({"x": x}, {"y": (x[:, :1] > 0.7).astype(np.float32)})


def expected(arrays: Arrays) -> dict[str, float]:
    """Returns what the metrics of ``Net`` are over all examples at once, by eager Keras and NumPy."""
    x, y = arrays.inputs["x"], arrays.labels["y"]
    p = 1 / (1 + np.exp(-(x @ np.float32([[1.0], [-1.0]]))))
    values = {}
    with tf.init_scope():
        for name, make in KERAS.items():
            metric = make()
            metric.update_state(y, p)
            values[name] = float(metric.result())
    precision, recall = values["precision"], values["recall"]
    return {
        **values,
        "f1_by_hand": 2 * precision * recall / (precision + recall),
        "mean": p[y > 0].mean(),
        "sum": p.sum(),
        "hits": recall,
        "batch_mean": p.mean(),
        "any": 1.0,
        "loss": np.square(1 - p[y > 0]).mean(),
    }


def still(_step: Any, _scale: Any) -> Any:
    """Returns an optimizer that moves nothing, so that all steps of an epoch see the same weights."""
    return v1.train.GradientDescentOptimizer(0.0)


def streamed(arrays: Arrays, validation: Arrays) -> Streamed:
    """Returns the same examples as pipelines."""

    def pipeline(part: Arrays) -> Callable[[], Any]:
        return lambda: tf.data.Dataset.from_tensor_slices((dict(part.inputs), dict(part.labels)))

    return Streamed(pipeline(arrays), 8, validation=pipeline(validation))


@pytest.mark.parametrize(("kind", "compiled"), [("arrays", "off"), ("arrays", "xla"), ("pipeline", "off")])
def test_metrics_are_those_of_the_whole_part(tmp_path, kind, compiled) -> None:
    """Five batches of 8 in each epoch; 19 validation examples, so that the last batch is short."""
    arrays = InMemory(examples(59), 8, validation=0.32)
    train, held = arrays.train, arrays.validation
    assert (len(train), len(held)) == (40, 19)
    data = arrays if kind == "arrays" else streamed(train, held)
    state = run(
        tmp_path / "run", {"evaluate": Evaluate()}, data=data, make_model=Net, make_optimizer=still, compile=compiled
    )
    assert state.epoch == 3
    metrics = dict(state.metrics)
    for name, value in expected(train).items():
        assert metrics[name] == pytest.approx(value, rel=1e-5), name
    for name, value in expected(held).items():
        assert metrics[f"val_{name}"] == pytest.approx(value, rel=1e-5), f"val_{name}"
