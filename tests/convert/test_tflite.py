"""Frozen graphs as TensorFlow Lite, read back by its interpreter."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests.convert.nets import BATCH, OUTPUTS, expected, write_cholesky
from trainer.convert.lite_runtime import open_tflite
from trainer.convert.tflite import convert_to_tflite
from trainer.errors import DamagedError, RequestError


def test_tflite(image_net, tmp_path) -> None:
    done = convert_to_tflite(image_net, tmp_path / "net.tflite", outputs=OUTPUTS)
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]
    assert (done.size, done.examples) == (done.path.stat().st_size, 16)
    assert all(each.same for each in done.differences)
    with open_tflite(done.path) as predictor:
        found = predictor(**BATCH)
    for name, value in zip(OUTPUTS, expected(image_net), strict=True):
        assert found[name] == pytest.approx(value, abs=1e-5)


def test_int8(image_net, tmp_path) -> None:
    done = convert_to_tflite(image_net, tmp_path / "net.tflite", outputs=OUTPUTS, representative=BATCH)
    logits, probabilities = expected(image_net)
    with open_tflite(done.path) as predictor:
        found = predictor(**BATCH)
    assert 0 < np.abs(found["probabilities"] - probabilities).max() < 0.05
    assert done.steps["probabilities"] == pytest.approx(1 / 256)
    assert done.differences[0].absolute == pytest.approx(np.abs(found["logits"] - logits).max())
    assert not done.differences[0].same
    content = done.path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its move to another package is announced, or not, as the version has it
        interpreter = tf.lite.Interpreter(model_content=content)
    assert {each["dtype"] for each in interpreter.get_input_details()} == {np.int8}
    assert {each["dtype"] for each in interpreter.get_output_details()} == {np.int8}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"image": BATCH["image"]}, "lacks the input 'shift'; it has: image"),
        ({**BATCH, "shift": BATCH["image"]}, r"shift has the shape"),
        ({**BATCH, "shift": BATCH["shift"][:3]}, r"differ in their number of examples \(image: 40, shift: 3\)"),
        ({name: value[:0] for name, value in BATCH.items()}, "has no example"),
    ],
)
def test_representative_data_that_does_not_fit(image_net, tmp_path, data, message) -> None:
    with pytest.raises(ValueError, match=message):
        convert_to_tflite(image_net, tmp_path / "net.tflite", outputs=OUTPUTS, representative=data)
    assert list(tmp_path.iterdir()) == []


def test_an_op_that_has_no_counterpart(tmp_path) -> None:
    file = write_cholesky(tmp_path)
    batch = {"x": np.eye(3, dtype=np.float32)[None]}
    with pytest.raises(RequestError, match=r"it has no counterpart of Cholesky; .*select_tf_ops=True"):
        convert_to_tflite(file, tmp_path / "net.tflite", batch=batch)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pb"]


def test_a_file_that_is_no_model(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"nothing of the kind")
    with pytest.raises(DamagedError):
        open_tflite(tmp_path / "file")
    with pytest.raises(RequestError, match="cannot be read"):
        open_tflite(tmp_path / "none")
