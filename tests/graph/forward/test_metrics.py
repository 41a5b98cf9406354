"""Metrics of a whole epoch and of a whole validation part, against Keras and NumPy on all examples at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from tests.helpers import assert_same_bits, run
from trainer.callback import Callback, Context
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import RequestError
from trainer.runs.directory import RunDirectory
from trainer.schedule import Schedule
from trainer.warm_start import WarmStart

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


class Undefined(Net):
    """Loss and metrics that are 0/0 in batches without positives, and one in all."""

    def metrics(self, outputs: Any, labels: Any) -> Any:
        hits = tf.reduce_sum(labels["y"] * outputs["p"])
        return {
            "batches": tf.reduce_mean(hits / tf.reduce_sum(labels["y"], axis=0)),
            "never": (0 * hits, 0.0),
            "whole": (hits, tf.reduce_sum(labels["y"])),
        }


def test_a_nan_is_said_once_and_never_the_best(tmp_path, caplog) -> None:
    arrays = examples(40)
    arrays.labels["y"][:] = 0
    arrays.labels["y"][3] = 1
    saver = Checkpoint(keep_best=1, monitor="batches", mode="max")
    data = InMemory(arrays, 8, shuffle=False)
    state = run(tmp_path / "run", {"checkpoint": saver}, data=data, make_model=Undefined, make_optimizer=still)
    assert np.isnan([state.metrics["batches"], state.metrics["never"]]).all()
    assert 0 < state.metrics["whole"] < 1
    assert caplog.text.count("batches is nan in epoch 1 (a mean over batches, of which one is so") == 1
    assert caplog.text.count("never is nan in epoch 1 (its denominator is 0 over all batches)") == 1
    assert "whole is nan" not in caplog.text
    assert "batches is no mean over examples, because of RealDiv" in caplog.text
    assert RunDirectory(tmp_path / "run").info().best_checkpoint is None


class Trained(Net):
    """The same net, trained."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        loss = tf.reduce_mean(tf.square(outputs["p"] - labels["y"]))
        self.loss_mean.update_state(loss)
        return loss


class Stop(Callback):
    """Ends the run in mid-epoch, 7 steps before its end."""

    schedule = Schedule(every_n_steps=8)

    def on_step_end(self, context: Context) -> None:
        context.request_stop("half")


def test_state_in_mid_epoch_is_resumed_and_is_no_part_of_the_model(tmp_path, caplog) -> None:
    data, evaluate = InMemory(examples(59), 8, validation=0.32), Evaluate
    parts: dict[str, Any] = {"data": data, "make_model": Trained, "epochs": 3}
    straight = run(tmp_path / "a", {"evaluate": evaluate(), "checkpoint": Checkpoint()}, **parts)
    run(tmp_path / "b", {"stop": Stop(), "checkpoint": Checkpoint()}, **parts)
    resumed = run(tmp_path / "b", {"evaluate": evaluate(), "checkpoint": Checkpoint()}, **parts)
    both = [{name: v for name, v in each.metrics.items() if name != "steps_per_sec"} for each in (straight, resumed)]
    assert repr(both[0]) == repr(both[1])
    assert_same_bits(tmp_path / "a/checkpoints/model-3", tmp_path / "b/checkpoints/model-3")
    assert "not trained" not in caplog.text
    run(tmp_path / "c", {}, warm_start=WarmStart(tmp_path / "a/checkpoints/model-3"), **parts)
    loaded = RunDirectory(tmp_path / "c").info().warm_start
    assert (loaded["loaded"], loaded["initialised"]) == ({"w": "w"}, [])


def made_in_each_call(self: Any, outputs: Any, labels: Any) -> Any:
    return {"m": keras.metrics.AUC()(labels["y"], outputs["p"])}


def streaming(self: Any, outputs: Any, labels: Any) -> Any:
    return {"m": v1.metrics.recall(labels["y"], outputs["p"] > 0.5)}


def counted_by_hand(self: Any, outputs: Any, labels: Any) -> Any:
    return {"m": self.hits.assign_add(tf.reduce_sum(labels["y"])) / 8}


def pair_of_state(self: Any, outputs: Any, labels: Any) -> Any:
    self.mean.update_state(outputs["p"])
    return {"m": (self.mean.total.value, self.mean.count.value)}


def squared(self: Any, outputs: Any, labels: Any) -> Any:
    return tf.reduce_mean(tf.square(outputs["p"] - labels["y"]))


REFUSED: dict[str, tuple[Any, str]] = {
    "made in each call": (made_in_each_call, "makes variables in each call.*in the constructor"),
    "streaming": (streaming, "as tf.compat.v1.metrics"),
    "counted by hand": (counted_by_hand, "changes hits and computes 'm' from it"),
    "pair of a state": (pair_of_state, "return the metric itself"),
    "not updated": (lambda self, outputs, labels: {"m": self.mean}, "nothing updates that metric"),
    "result, not updated": (lambda self, outputs, labels: {"m": self.mean.result()}, "nothing updates that metric"),
    "None": (lambda self, outputs, labels: {"m": self.mean.update_state(outputs["p"])}, "returned None for 'm'"),
    "vector": (lambda self, outputs, labels: {"m": labels["y"]}, r"float32 of shape \(None, 1\)"),
    "pair of vectors": (lambda self, outputs, labels: {"m": (labels["y"], 1.0)}, r"float32 of shape \(None, 1\)"),
    "three": (lambda self, outputs, labels: {"m": (1.0, 2.0, 3.0)}, "returned 3 values for 'm'"),
    "text": (lambda self, outputs, labels: {"m": "much"}, "string of shape"),
    "no dict": (lambda self, outputs, labels: [1.0], "returned list; it must return a dict"),
    "F1 of each class": (
        lambda self, outputs, labels: {"m": self.f1s(labels["y"], outputs["p"])},
        r"float32 of shape \(1,\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case, tmp_path) -> None:
    metrics, message = REFUSED[case]

    def init(self: Any) -> None:
        self.w, self.mean = tf.Variable([[1.0], [-1.0]], name="w"), keras.metrics.Mean()
        self.hits = tf.Variable(0.0, trainable=False, name="hits")
        self.f1s = keras.metrics.F1Score(threshold=0.5)

    model = type("Bad", (Net,), {"__init__": init, "loss": squared, "metrics": metrics})
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", data=InMemory(examples(40), 8), make_model=model)
    assert not (tmp_path / "run").exists()
