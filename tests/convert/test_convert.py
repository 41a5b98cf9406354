"""Frozen graphs as TensorFlow Lite and ONNX, read back by the runtimes themselves."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from trainer.convert import checked, onnx, tflite
from trainer.convert.onnx import convert_to_onnx, open_onnx
from trainer.convert.tflite import convert_to_tflite, open_tflite
from trainer.errors import DamagedError, ReadBackError, RequestError

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def image_net(tmp_path_factory):
    """A ``.pb`` with a convolution, a second input and two outputs, of any batch size."""
    values = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, 6, 6, 1], name="image")
        shift = v1.placeholder(tf.float32, [None, 3], name="shift")
        hidden = tf.nn.relu(tf.nn.conv2d(image, values.normal(size=(3, 3, 1, 4)).astype("f4"), 1, "SAME"))
        weights = values.normal(size=(4, 3)).astype("f4")
        logits = tf.add(tf.reduce_mean(hidden, [1, 2]) @ weights, shift, name="logits")
        tf.nn.softmax(logits, name="probabilities")
    path = tmp_path_factory.mktemp("net") / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


OUTPUTS = ["logits", "probabilities"]
BATCH = {
    "image": np.random.default_rng(1).random((40, 6, 6, 1), np.float32),
    "shift": np.random.default_rng(2).random((40, 3), np.float32),
}


def expected(path) -> list[np.ndarray]:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(path.read_bytes()), name="")
        return session.run([f"{name}:0" for name in OUTPUTS], {f"{name}:0": value for name, value in BATCH.items()})


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
    with pytest.warns(UserWarning, match="deprecated"):
        interpreter = tf.lite.Interpreter(model_content=content)
    assert {each["dtype"] for each in interpreter.get_input_details()} == {np.int8}
    assert {each["dtype"] for each in interpreter.get_output_details()} == {np.int8}


def test_onnx(image_net, tmp_path) -> None:
    done = convert_to_onnx(image_net, tmp_path / "net.onnx", outputs=OUTPUTS)
    assert all(each.same for each in done.differences)
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["image", "shift"]
    for found, value in zip(session.run(OUTPUTS, BATCH), expected(image_net), strict=True):
        assert found == pytest.approx(value, abs=1e-5)
    with open_onnx(done.path) as predictor:
        assert predictor(image=BATCH["image"], shift=BATCH["shift"])["logits"].shape == (40, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"image": BATCH["image"]}, "lacks the input 'shift'; it has: image"),
        ({**BATCH, "shift": BATCH["image"]}, r"shift has the shape"),
        ({**BATCH, "shift": BATCH["shift"][:3]}, r"differ in their number of examples \(image: 40, shift: 3\)"),
        ({name: value[:0] for name, value in BATCH.items()}, "holds no example"),
    ],
)
def test_representative_data_that_does_not_fit(image_net, tmp_path, data, message) -> None:
    with pytest.raises(ValueError, match=message):
        convert_to_tflite(image_net, tmp_path / "net.tflite", outputs=OUTPUTS, representative=data)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_gives_something_else_is_not_put_in_place(image_net, tmp_path, monkeypatch) -> None:
    other = convert_to_tflite(image_net, tmp_path / "other.tflite", outputs=["logits"]).path.read_bytes()
    monkeypatch.setattr(tflite, "_converted", lambda *_: other)
    monkeypatch.setattr(checked, "TOLERANCE", 0.0)
    monkeypatch.setattr(tflite, "_dequantized", lambda value, _: value + 1)
    with pytest.raises(ReadBackError, match=r"net.tflite was not written: logits is up to 1"):
        convert_to_tflite(image_net, tmp_path / "net.tflite", outputs=["logits"])
    assert [path.name for path in tmp_path.iterdir()] == ["other.tflite"]


def test_an_op_that_has_no_counterpart(tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3, 3], name="x")
        tf.linalg.cholesky(x, name="op")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    batch = {"x": np.eye(3, dtype=np.float32)[None]}
    with pytest.raises(RequestError, match=r"cannot be converted to TensorFlow Lite: .*Cholesky"):
        convert_to_tflite(tmp_path / "net.pb", tmp_path / "net.tflite", batch=batch)
    with pytest.raises(RequestError, match=r"cannot be converted to ONNX: .*Cholesky"):
        convert_to_onnx(tmp_path / "net.pb", tmp_path / "net.onnx", batch=batch)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pb"]


def test_files_that_are_no_models(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"nothing of the kind")
    for opener in (open_tflite, open_onnx):
        with pytest.raises(DamagedError):
            opener(tmp_path / "file")
        with pytest.raises(RequestError, match="cannot be read"):
            opener(tmp_path / "none")


def test_a_missing_extra_is_named(image_net, tmp_path, monkeypatch) -> None:
    def import_module(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(onnx.importlib, "import_module", import_module)
    with pytest.raises(RequestError, match=r"pip install 'graph-trainer\[onnx\]'"):
        convert_to_onnx(image_net, tmp_path / "net.onnx")
