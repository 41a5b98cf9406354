"""Inputs that only set how a net computes: their values in a prediction, and how another is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.graphdef.flags import flag_defaults, give_defaults
from trainer.inspection.static import read_model
from trainer.predict.backends.dispatch import open_predictor

v1 = tf.compat.v1


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "value"),
    [
        ("keep_prob", tf.float32, [], 1.0),
        ("keep_prob", tf.float32, None, 1.0),
        ("dropout/keep_prob", tf.float64, None, 1.0),
        ("dropout_keep_prob", tf.float32, None, 1.0),
        ("KeepProb", tf.float16, [], 1.0),
        ("dropout", tf.float32, None, 0.0),
        ("drop_rate", tf.float32, [], 0.0),
        ("learning_rate", tf.float32, [], 0.0),
        ("lr", tf.float32, [], 0.0),
        ("is_training", tf.bool, None, False),
        ("phase_train", tf.bool, [], False),
        ("train/phase", tf.bool, [], False),
        ("x", tf.float32, None, None),
        ("keep", tf.float32, [None, 3], None),
        ("mask", tf.bool, None, None),
        ("kept_words", tf.int32, None, None),
        ("alright", tf.float32, None, None),
    ],
)
def test_a_name_says_it(name, dtype, shape, value) -> None:
    with tf.Graph().as_default() as graph:
        v1.placeholder(dtype, shape, name=name)
    graph_def = graph.as_graph_def()
    assert flag_defaults(graph_def) == ({} if value is None else {name: value})
    give_defaults(graph_def, flag_defaults(graph_def))
    with tf.Graph().as_default(), v1.Session() as session:
        (tensor,) = tf.import_graph_def(graph_def, return_elements=[f"{name}:0"], name="")
        if value is not None:
            assert session.run(tensor) == value
            assert session.run(tensor, {tensor: not value}) == (not value)


@pytest.mark.parametrize(
    ("dropout", "value"),
    [
        (lambda x, given: v1.nn.dropout(x, keep_prob=given), 1.0),
        (lambda x, given: tf.nn.dropout(x, rate=given), 0.0),
        (lambda x, given: tf.nn.dropout(x, rate=1 - given), 1.0),
        (lambda x, given: x * given, None),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_dropout_says_it_where_the_name_does_not(dropout, value) -> None:
    with tf.Graph().as_default() as graph:
        dropout(v1.placeholder(tf.float32, [None, 3], name="x"), v1.placeholder(tf.float32))
    assert flag_defaults(graph.as_graph_def()) == ({} if value is None else {"Placeholder": value})


def graph_with_flags() -> Any:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None], name="x")
        keep = v1.placeholder(tf.float32, name="keep_prob")
        training = v1.placeholder(tf.bool, name="is_training")
        tf.where(training, x * 100, x * keep, name="y")
    return graph.as_graph_def()


def test_a_predictor_needs_none_and_takes_each(tmp_path) -> None:
    (tmp_path / "model.pb").write_bytes(graph_with_flags().SerializeToString())
    assert {name: info.optional for name, info in read_model(tmp_path / "model.pb").inputs.items()} == {
        "x": False,
        "keep_prob": True,
        "is_training": True,
    }
    with open_predictor(tmp_path / "model.pb") as predictor:
        x = np.float32([1, 2])
        assert predictor(x=x)["y"].tolist() == [1, 2]
        assert predictor(x=x, keep_prob=0.5)["y"].tolist() == [0.5, 1]
        assert predictor(x=x, is_training=True)["y"].tolist() == [100, 200]
