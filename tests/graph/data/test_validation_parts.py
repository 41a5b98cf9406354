"""Validation parts of one's own: arrays, data sets and generators, one or several under their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.metrics import Metrics
from tests.helpers import Line, dataset, points, run
from trainer.data.arrays import Arrays, InMemory
from trainer.data.mapped import Mapped
from trainer.data.streamed import Streamed
from trainer.errors import RequestError

Dataset = tf.data.Dataset


def other(count: int, shift: float) -> Arrays:
    """Returns points of another distribution; the last batch of 8 is short."""
    x = np.random.default_rng(count).normal(shift, 1, (count, 2)).astype(np.float32)
    return Arrays({"x": x}, {"y": x.sum(1, keepdims=True)})


NEAR, FAR = other(11, 0.0), other(21, 3.0)


def as_dataset(arrays: Arrays) -> Callable[[], Any]:
    return lambda: Dataset.from_tensor_slices((arrays.inputs, arrays.labels))


def as_generator(arrays: Arrays) -> Callable[[], Iterator[Any]]:
    def rows() -> Iterator[Any]:
        for x, y in zip(arrays.inputs["x"], arrays.labels["y"], strict=True):
            yield {"x": x}, {"y": y}

    return rows


GIVEN: dict[str, Callable[[Arrays], Any]] = {
    "arrays": lambda arrays: arrays,
    "a function of arrays": lambda arrays: lambda: arrays,
    "a data set": as_dataset,
    "a generator": as_generator,
}


@pytest.mark.parametrize("data", ["memory", "stream", "files"])
@pytest.mark.parametrize("kind", GIVEN)
def test_each_part_is_evaluated_over_all_its_examples(kind, data, tmp_path) -> None:
    parts = {"near": GIVEN[kind](NEAR), "far": GIVEN[kind](FAR)}
    np.save(tmp_path / "x.npy", points().inputs["x"])
    np.save(tmp_path / "y.npy", points().labels["y"])
    source: Any = {
        "memory": lambda: InMemory(points(), 8, validation=parts),
        "stream": lambda: Streamed(dataset, 8, validation=parts),
        "files": lambda: Mapped({"x": str(tmp_path / "x.npy")}, {"y": str(tmp_path / "y.npy")}, 8, validation=parts),
    }[data]()
    callbacks = {"e": Evaluate(), "m": Metrics(), "c": Checkpoint(every_n_epochs=1, monitor="val_far_loss")}
    state = run(tmp_path / "run", callbacks, data=source, epochs=2)
    read = tf.train.load_checkpoint(str(tmp_path / "run/checkpoints/model-2")).get_tensor
    for name, arrays in (("near", NEAR), ("far", FAR)):
        errors = arrays.inputs["x"] @ read("w") + read("b") - arrays.labels["y"]
        assert state.metrics[f"val_{name}_loss"] == pytest.approx(np.mean(errors**2), rel=1e-5)
        assert state.metrics[f"val_{name}_error"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)
    line = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert {"val_near_loss", "val_far_loss"} <= line.keys()
    assert "val_loss" not in line


@pytest.mark.parametrize("kind", GIVEN)
def test_a_single_part_has_no_name(kind, tmp_path) -> None:
    state = run(tmp_path / "run", {"e": Evaluate()}, data=InMemory(points(), 8, validation=GIVEN[kind](NEAR)), epochs=1)
    assert {"val_loss", "val_error"} <= state.metrics.keys()


def test_batches_of_ones_own_are_evaluated_by_their_examples(tmp_path) -> None:
    """Batches of 4, 4 and 3, of weights between 0 and 3."""
    weights = np.float32(np.arange(11) % 4)

    def batches() -> Any:
        return Dataset.from_tensor_slices((NEAR.inputs, NEAR.labels, weights[:, None])).batch(4)

    class Weighted(Line):
        def loss(self, outputs: Any, labels: Any, sample_weight: Any) -> Any:  # type: ignore[override]
            return tf.reduce_mean(sample_weight * tf.square(outputs["op"] - labels["y"]))

    data = Streamed(batches, batched=True, validation=batches)
    state = run(
        tmp_path / "run", {"e": Evaluate(), "c": Checkpoint(every_n_epochs=1)}, data=data, make_model=Weighted, epochs=1
    )
    read = tf.train.load_checkpoint(str(tmp_path / "run/checkpoints/model-1")).get_tensor
    errors = NEAR.inputs["x"] @ read("w") + read("b") - NEAR.labels["y"]
    assert state.metrics["val_loss"] == pytest.approx(np.mean(weights[:, None] * errors**2), rel=1e-5)


X = {"x": np.zeros([9, 2], np.float32)}
Y = {"y": np.zeros([9, 1], np.float32)}
WRONG: dict[str, tuple[Any, str]] = {
    "another name": (Arrays({"z": X["x"]}, Y), r"validation has no 'x' \(it has z\); give each validation example"),
    "more": (Arrays({**X, "z": X["x"]}, Y), "validation has 'z', which the training data does not have"),
    "another shape": (Arrays({"x": np.zeros([9, 3], np.float32)}, Y), r"'x' as float32 \[None, 3\], and .*\[None, 2\]"),
    "another dtype": (Arrays({"x": np.zeros([9, 2])}, Y), r"validation has 'x' as float64 \[None, 2\], and the"),
    "another form": (Arrays((X["x"],), Y), "validation has no 'x'"),
    "a part of several": ({"a": NEAR, "b": Arrays(X, None)}, "validation.b has no 'y'"),
    "no data": ({"a": 3}, "validation.a is a int; it must be trainer.Arrays, or a function"),
    "none": ({}, "validation is an empty mapping"),
    "a bad name": ({"a part": NEAR}, "validation has a part named 'a part'; a name begins"),
    "raises": (lambda: 1 // 0, "validation raised .*division"),
    "no data set": (lambda: 5, "validation is a int; it must be a tf.data.Dataset"),
    "without end": (lambda: as_dataset(NEAR)().repeat(), "the validation data set never ends; set its val"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_part_that_does_not_fit_is_refused_by_name(name, tmp_path) -> None:
    given, message = WRONG[name]
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {"e": Evaluate()}, data=InMemory(points(), 8, validation=given))
    assert not (tmp_path / "run").exists()


def test_two_parts_that_report_one_metric_are_refused(tmp_path) -> None:
    class Metric(Line):
        def metrics(self, outputs: Any, labels: Any) -> Any:
            return {"b_loss": tf.reduce_mean(outputs["op"])}

    data = InMemory(points(), 8, validation={"a": NEAR, "a_b": FAR})
    with pytest.raises(RequestError, match="two validation parts report 'val_a_b_loss'"):
        run(tmp_path / "run", {"e": Evaluate()}, data=data, make_model=Metric)
