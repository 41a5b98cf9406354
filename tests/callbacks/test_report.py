"""The report of a run: its pass over the validation part, and its files however the run ends."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.metrics import Metrics
from callbacks.report import Report
from tests.helpers import points, run
from trainer.callback import Callback
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import CallbackError, RequestError
from trainer.report import write
from trainer.report.summary_file import FILE, read_summary
from trainer.schedule import Schedule

v1 = tf.compat.v1


class Classes:
    """Classifier of pictures into three classes, or two by one logit."""

    def __init__(self, count: int = 3) -> None:
        self.count = count
        self.w = v1.get_variable("w", [16, count], initializer=v1.zeros_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"logits": tf.reshape(inputs["image"], [-1, 16]) @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        if self.count == 1:
            truth = tf.cast(labels["kind"], tf.float32)[:, None]
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(truth, outputs["logits"]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels["kind"], outputs["logits"])
        return tf.reduce_mean(losses)

    def metrics(self, outputs: Any, labels: Any) -> Any:
        greatest = tf.argmax(outputs["logits"], axis=1, output_type=tf.int32)
        return {"accuracy": tf.reduce_mean(tf.cast(greatest == labels["kind"], tf.float32))}


def pictures(count: int = 60, classes: int = 3) -> Arrays:
    kind = (np.arange(count) % classes).astype(np.int32)
    image = np.random.default_rng(0).normal(size=(count, 4, 4, 1)).astype(np.float32)
    image[:, 0, :3, 0] += 2 * np.eye(3)[kind]
    return Arrays({"image": image}, {"kind": kind})


def stream() -> tf.data.Dataset:
    arrays = pictures(30)
    return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))


def beside(report: Report) -> dict[str, Callback]:
    return {"evaluate": Evaluate(), "metrics": Metrics(), "checkpoint": Checkpoint(), "report": report}


@pytest.mark.parametrize(
    "data",
    [
        lambda: InMemory(pictures(), 8, validation=0.5),
        lambda: InMemory(pictures(), 8, validation=stream),
        lambda: Streamed(stream, 8, validation=stream),
        lambda: InMemory(pictures(), 8, validation={"a": pictures(30), "b": pictures(6)}),
    ],
    ids=["arrays", "stream beside arrays", "stream", "two parts"],
)
def test_the_matrix_agrees_with_the_evaluation(tmp_path, data) -> None:
    run(tmp_path / "run", beside(Report()), make_model=Classes, data=data(), epochs=2)
    found = read_summary(tmp_path / "run" / FILE)
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    accuracy = last.get("val_accuracy", last.get("val_a_accuracy"))
    assert found.confusion.sum() == found.examples == 30
    assert found.confusion.trace() / 30 == pytest.approx(accuracy)
    assert found.images.shape == (24, 4, 4, 1)
    text = (tmp_path / "run/report.html").read_text()
    assert "Worst examples" in text
    assert ">finished<" in text
    assert "checkpoints/model-2" in text
    assert (tmp_path / "run/report.png").stat().st_size > 10_000


def test_one_logit_is_a_classifier_and_a_limit_holds(tmp_path) -> None:
    data = InMemory(pictures(classes=2), 8, validation=0.5)
    run(tmp_path / "run", beside(Report(max_examples=13)), make_model=lambda: Classes(1), data=data, epochs=1)
    found = read_summary(tmp_path / "run" / FILE)
    assert found.confusion.shape == (2, 2)
    assert found.examples == 13


def test_a_regression_is_scattered(tmp_path) -> None:
    data = InMemory(points(), 8, validation=0.5)
    run(tmp_path / "run", {"c": Checkpoint(), "r": Report(name="story")}, data=data, epochs=1)
    assert read_summary(tmp_path / "run" / FILE).points.shape == (20, 2)
    assert "mean absolute error" in (tmp_path / "run/story.html").read_text()


@pytest.mark.parametrize("report", [Report(), Report(validation=False)])
def test_without_a_validation_part_a_line_says_so(tmp_path, report) -> None:
    run(tmp_path / "run", {"c": Checkpoint(), "r": report}, epochs=1)
    assert "No confusion matrix: " in (tmp_path / "run/report.html").read_text()


class Fails(Callback):
    schedule = Schedule(every_n_epochs=1)

    def on_step_end(self, context) -> None:
        raise OSError("disk is gone")


def test_a_run_that_fails_has_a_report_of_its_failure(tmp_path) -> None:
    with pytest.raises(CallbackError, match="disk is gone"):
        run(tmp_path / "run", {"c": Checkpoint(), "f": Fails(), "r": Report()}, epochs=1)
    text = (tmp_path / "run/report.html").read_text()
    assert ">failed<" in text
    assert "disk is gone" in text


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path, caplog) -> None:
    (tmp_path / "run").mkdir()
    report = Report()
    report._run = tmp_path / "gone"
    report.close()
    assert "no report: " in caplog.text


def test_a_missing_package_is_named_before_the_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(write, "PACKAGES", ("no_such_package",))
    with pytest.raises(RequestError, match=r"pip install 'graph-trainer\[report\]'"):
        run(tmp_path / "run", {"c": Checkpoint(), "r": Report()}, epochs=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"name": "a/b"}, {"validation": 1}, {"max_examples": 0}, {"weights": "best"}],
    ids=lambda each: next(iter(each)),
)
def test_wrong_values_are_refused(wrong) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        Report(**wrong)
