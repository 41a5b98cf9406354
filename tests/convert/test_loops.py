"""Nets with loops, such as recurrent ones, for other runtimes."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from trainer.convert.lite_runtime import open_tflite
from trainer.convert.loops import fix_batch, has_tensor_lists, keep_loops
from trainer.convert.onnx import convert_to_onnx, open_onnx
from trainer.convert.tflite import convert_to_tflite
from trainer.errors import RequestError
from trainer.graphdef.graph_file import read_graph
from trainer.predict.backends.frozen import open_frozen

v1 = tf.compat.v1

X = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
X[:3, 3:] = 0
WORDS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [1, 1, 2, 2, 3], [0, 0, 0, 0, 1]], np.int32)

NETS = {
    "LSTM": lambda x: layers.LSTM(6)(x),
    "GRU": lambda x: layers.GRU(6)(x),
    "GRU, reset before": lambda x: layers.GRU(6, reset_after=False)(x),
    "SimpleRNN": lambda x: layers.SimpleRNN(6)(x),
    "bidirectional LSTM": lambda x: layers.Bidirectional(layers.LSTM(6))(x),
    "bidirectional GRU": lambda x: layers.Bidirectional(layers.GRU(6, return_sequences=True), merge_mode="sum")(x),
    "masked LSTM": lambda x: layers.LSTM(6)(layers.Masking(0.0)(x)),
    "masked GRU": lambda x: layers.GRU(6)(layers.Masking(0.0)(x)),
    "masked bidirectional": lambda x: layers.Bidirectional(layers.LSTM(6))(layers.Masking(0.0)(x)),
    "stacked": lambda x: layers.GRU(3)(layers.LSTM(6, return_sequences=True)(x)),
    "sequences": lambda x: layers.TimeDistributed(layers.Dense(2))(layers.LSTM(6, return_sequences=True)(x)),
    "backwards": lambda x: layers.LSTM(6, go_backwards=True)(x),
    "states": lambda x: layers.LSTM(6, return_state=True)(x)[2],
    "an own cell": lambda x: layers.RNN([layers.LSTMCell(5), layers.GRUCell(6)])(x),
    "unrolled": lambda x: layers.LSTM(6, unroll=True)(x),
}


def frozen(folder: Path, build, shape, dtype=tf.float32) -> Path:
    """Freezes what a function makes of ``x``; returns the file."""
    keras.utils.set_random_seed(0)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(dtype, shape, name="x")
        tf.identity(build(x), name="op")
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["op"])
    (folder / "net.pb").write_bytes(frozen.SerializeToString())
    return folder / "net.pb"


def expected(file: Path, x) -> np.ndarray:
    with open_frozen(file, ["op"]) as predictor:
        return predictor(x=x)["op"]


@pytest.mark.parametrize("name", NETS)
def test_recurrent_nets_have_any_batch_in_onnx_and_a_fixed_one_in_tflite(tmp_path, name) -> None:
    file = frozen(tmp_path, NETS[name], [None, 5, 4])
    done = convert_to_onnx(file, tmp_path / "net.onnx", batch={"x": X})
    assert all(each.same for each in done.differences)
    for count in (1, 4):
        with open_onnx(done.path) as predictor:
            np.testing.assert_allclose(predictor(x=X[:count])["op"], expected(file, X[:count]), atol=1e-5)
    done = convert_to_tflite(file, tmp_path / "net.tflite", batch={"x": X})
    assert all(each.same for each in done.differences)
    assert done.note == ("" if name == "unrolled" else "a call takes 1 example, no more and no fewer")
    with open_tflite(done.path) as predictor:
        np.testing.assert_allclose(predictor(x=X[:1])["op"], expected(file, X[:1]), atol=1e-5)


def test_onnx_has_its_own_layer_for_an_lstm(tmp_path) -> None:
    import onnx

    convert_to_onnx(frozen(tmp_path, NETS["LSTM"], [None, 5, 4]), tmp_path / "net.onnx")
    assert "LSTM" in {node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node}


def test_words_with_a_mask(tmp_path) -> None:
    def build(x):
        return layers.Bidirectional(layers.GRU(6))(layers.Embedding(10, 4, mask_zero=True)(x))

    file = frozen(tmp_path, build, [None, 5], tf.int32)
    for convert, opened in ((convert_to_onnx, open_onnx), (convert_to_tflite, open_tflite)):
        done = convert(file, tmp_path / f"net.{convert.__name__[-4:]}", batch={"x": WORDS})
        assert all(each.same for each in done.differences)
        with opened(done.path) as predictor:
            np.testing.assert_allclose(predictor(x=WORDS[:1])["op"], expected(file, WORDS[:1]), atol=1e-5)


def test_a_length_that_is_not_known(tmp_path) -> None:
    file = frozen(tmp_path, NETS["LSTM"], [None, None, 4])
    done = convert_to_onnx(file, tmp_path / "net.onnx", batch={"x": X})
    with open_onnx(done.path) as predictor:
        np.testing.assert_allclose(predictor(x=X[:, :2])["op"], expected(file, X[:, :2]), atol=1e-5)
    done = convert_to_tflite(file, tmp_path / "net.tflite", batch={"x": X})
    assert all(each.same for each in done.differences)


LOOPS = {
    "map_fn": lambda x: tf.map_fn(lambda each: tf.reduce_sum(each * 2.0, 0), x),
    "while": lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(y) * 2.0), [0, x])[1],
    "cond": lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_and_branches_of_ones_own(tmp_path, name) -> None:
    file = frozen(tmp_path, LOOPS[name], [None, 5, 4])
    done = convert_to_onnx(file, tmp_path / "net.onnx", batch={"x": X})
    assert all(each.same for each in done.differences)
    done = convert_to_tflite(file, tmp_path / "net.tflite", batch={"x": X[:1]})
    assert all(each.same for each in done.differences)


def test_a_loop_that_onnx_has_no_counterpart_of(tmp_path) -> None:
    file = frozen(tmp_path, lambda x: tf.scan(lambda a, b: a * 0.5 + b, tf.transpose(x, [1, 0, 2])), [None, 5, 4])
    with pytest.raises(RequestError, match="cannot be converted to ONNX: ONNX has no counterpart of the op"):
        convert_to_onnx(file, tmp_path / "net.onnx", batch={"x": X})
    assert [path.name for path in tmp_path.iterdir()] == ["net.pb"]


def test_a_fixed_batch_of_any_size(tmp_path) -> None:
    file = frozen(tmp_path, NETS["GRU"], [None, 5, 4])
    done = convert_to_tflite(file, tmp_path / "net.tflite", batch={"x": X}, fixed_batch=3)
    assert done.note == "a call takes 3 examples, no more and no fewer"
    with open_tflite(done.path) as predictor:
        assert predictor.inputs["x"].shape == (3, 5, 4)
    with pytest.raises(RequestError, match="6 examples, which are no multiple of 4, the fixed batch"):
        convert_to_tflite(file, tmp_path / "other.tflite", batch={"x": X}, fixed_batch=4)
    assert not (tmp_path / "other.tflite").exists()


def test_a_runtime_with_the_ops_of_tensorflow(tmp_path, models) -> None:
    file = frozen(tmp_path, NETS["LSTM"], [None, 5, 4])
    code, text, errors = models("convert", file, "--to", "tflite", "--select-tf-ops")
    assert code == 0, errors
    assert "the runtime needs TensorFlow's own ops (the Flex delegate)" in text
    assert (tmp_path / "net.tflite").is_file()
    code, _, errors = models("convert", file, "--to", "onnx", "--select-tf-ops")
    assert (code, "are for --to tflite only" in errors) == (2, True)


def test_int8_of_a_recurrent_net(tmp_path) -> None:
    file = frozen(tmp_path, NETS["LSTM"], [None, 5, 4])
    with pytest.raises(RequestError, match="has loops that collect tensors, as recurrent layers do"):
        convert_to_tflite(file, tmp_path / "net.tflite", representative={"x": X})
    done = convert_to_tflite(
        frozen(tmp_path, NETS["unrolled"], [None, 5, 4]), tmp_path / "net.tflite", representative={"x": X}
    )
    assert done.path.is_file()


def test_the_graph_is_changed_where_it_has_to_be(tmp_path) -> None:
    graph_def = read_graph(frozen(tmp_path, NETS["LSTM"], [None, 5, 4]))
    assert has_tensor_lists(graph_def)
    keep_loops(graph_def)
    assert not any(node.attr["_lower_using_switch_merge"].b for node in graph_def.node if node.op == "While")
    fix_batch(graph_def, 2)
    (placeholder,) = [node for node in graph_def.node if node.op == "Placeholder"]
    assert [dim.size for dim in placeholder.attr["shape"].shape.dim] == [2, 5, 4]
    assert not has_tensor_lists(read_graph(frozen(tmp_path, lambda x: x * 2.0, [None, 5, 4])))
