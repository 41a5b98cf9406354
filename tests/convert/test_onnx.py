"""Frozen graphs as ONNX, read back by ONNX Runtime."""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
import pytest

from tests.convert.nets import BATCH, OUTPUTS, expected, write_cholesky
from trainer.convert.onnx import convert_to_onnx, open_onnx
from trainer.errors import DamagedError, RequestError


def test_onnx(image_net, tmp_path) -> None:
    done = convert_to_onnx(image_net, tmp_path / "net.onnx", outputs=OUTPUTS)
    assert all(each.same for each in done.differences)
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["image", "shift"]
    for found, value in zip(session.run(OUTPUTS, BATCH), expected(image_net), strict=True):
        assert found == pytest.approx(value, abs=1e-5)
    with open_onnx(done.path) as predictor:
        assert predictor(image=BATCH["image"], shift=BATCH["shift"])["logits"].shape == (40, 3)


def test_a_missing_extra_is_named(image_net, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # what Python finds is that it cannot be imported
    with pytest.raises(RequestError, match=r"pip install 'graph-trainer\[onnx\]'"):
        convert_to_onnx(image_net, tmp_path / "net.onnx")


def test_an_op_that_has_no_counterpart(tmp_path) -> None:
    file = write_cholesky(tmp_path)
    batch = {"x": np.eye(3, dtype=np.float32)[None]}
    with pytest.raises(RequestError, match=r"cannot be converted to ONNX: .*Cholesky"):
        convert_to_onnx(file, tmp_path / "net.onnx", batch=batch)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pb"]


def test_a_file_that_is_no_model(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"nothing of the kind")
    with pytest.raises(DamagedError):
        open_onnx(tmp_path / "file")
    with pytest.raises(RequestError, match="cannot be read"):
        open_onnx(tmp_path / "none")
