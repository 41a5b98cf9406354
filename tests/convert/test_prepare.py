"""Graphs of others, converted: flags are constants, and a batch gives shapes that a file lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.convert.lite_runtime import open_tflite
from trainer.convert.onnx import convert_to_onnx, open_onnx
from trainer.convert.tflite import convert_to_tflite
from trainer.errors import RequestError

v1 = tf.compat.v1

WAYS = [(convert_to_tflite, open_tflite, "tflite"), (convert_to_onnx, open_onnx, "onnx")]


@pytest.fixture
def file(tmp_path) -> Any:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, name="x")
        keep_prob = v1.placeholder(tf.float32, name="keep_prob")
        training = v1.placeholder(tf.bool, name="is_training")
        y = tf.matmul(x, tf.constant([[1.0], [2.0], [3.0], [4.0]])) * keep_prob
        tf.identity(tf.where(training, -y, y), name="y")
    (tmp_path / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return tmp_path / "model.pb"


@pytest.mark.parametrize(("convert", "open_file", "suffix"), WAYS, ids=["tflite", "onnx"])
def test_a_batch_gives_the_shape_and_flags_become_constants(file, convert, open_file, suffix) -> None:
    target = file.with_suffix(f".{suffix}")
    with pytest.raises(RequestError, match="no random value can be generated for the input 'x'"):
        convert(file, target)
    x = np.float32([[1, 1, 1, 1], [0, 1, 0, 1]])
    for given, share in (({}, 1.0), ({"keep_prob": np.float32(0.5)}, 0.5)):
        convert(file, target, batch={"x": x, **given})
        with open_file(target) as predictor:
            assert list(predictor.inputs) == ["x"]
            np.testing.assert_allclose(predictor(x=x)["y"].ravel(), [10 * share, 6 * share], rtol=1e-6)
