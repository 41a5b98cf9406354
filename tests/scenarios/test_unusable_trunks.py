"""Files that cannot be a trunk: each is refused by name before a directory is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trunks.nets import UNITS, freeze, train_on
from trainer.errors import RequestError

v1 = tf.compat.v1


def x(shape=(None, 2), dtype=tf.float32):
    return v1.placeholder(dtype, list(shape), name="x")


def features(tensor) -> None:
    tf.identity(tf.tile(tf.reshape(tensor, [-1, 2])[:, :1], [1, UNITS]), name="features")


def pipeline() -> None:
    rows = tf.data.Dataset.from_tensors(np.ones([8, 2], np.float32)).repeat()
    features(v1.data.make_one_shot_iterator(rows).get_next())


def queue() -> None:
    features(tf.queue.FIFOQueue(3, [tf.float32], [[2]]).dequeue_many(3))


def python_function() -> None:
    rows = v1.py_func(lambda rows: rows, [x()], tf.float32)
    rows.set_shape([None, 2])
    features(rows)


def file_written() -> None:
    rows = x()
    with tf.control_dependencies([tf.io.write_file("canary", "here")]):
        features(tf.identity(rows))


def file_read() -> None:
    features(x() + tf.strings.to_number(tf.io.read_file("/etc/hostname")))


def look_up() -> None:
    entries = tf.lookup.KeyValueTensorInitializer([1, 2], [1.0, 2.0], tf.int64, tf.float32)
    features(tf.lookup.StaticHashTable(entries, 0.0).lookup(tf.cast(x(), tf.int64)))


UNUSABLE = {
    pipeline: r"reads data by itself \(IteratorGetNext:0\); freeze its checkpoint",
    queue: r"reads data by itself \(fifo_queue_DequeueMany:0\)",
    python_function: r"'PyFunc' \(PyFunc\) runs Python",
    file_written: r"'WriteFile' \(WriteFile\) writes files",
    file_read: r"'ReadFile' \(ReadFile\) touches files",
    look_up: r"has look-up tables",
    lambda: features(v1.placeholder(tf.float32, [None, 2], name="rows")): "the data has no input 'rows'; there are: x",
    lambda: features(x() + v1.placeholder(tf.float32, [None, 2], name="also")): "the data has no input 'also'",
    lambda: features(x([None, 5])[:, :2]): r"takes x float32 \[batch, 5\], and the data has x float32 \[batch, 2\]",
    lambda: features(tf.cast(x(dtype=tf.int32), tf.float32)): r"takes x int32 \[batch, 2\], and the data has x float32",
    lambda: tf.constant([[1.0]], name="features"): "'features' is a constant",
    lambda: tf.identity(x(), name="feature"): "the graph has no node 'features'; did you mean feature",
    lambda: tf.identity(v1.get_variable("w", [2, 2], use_resource=False) + x(), name="features"): "still has variables",
    lambda: tf.strings.as_string(x(), name="features"): "cannot be called",
}


@pytest.mark.parametrize("make", UNUSABLE)
def test_what_cannot_be_a_trunk(tmp_path, monkeypatch, make) -> None:
    monkeypatch.chdir(tmp_path)
    with tf.Graph().as_default() as graph:
        make()
    (tmp_path / "trunk.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(RequestError, match=UNUSABLE[make]):
        train_on(tmp_path / "trunk.pb", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["trunk.pb"]


def damaged(content: bytes, kind: str) -> bytes:
    graph_def = v1.GraphDef.FromString(content)
    last = next(node for node in graph_def.node if node.name == "features")
    if kind == "unknown":
        last.op = "NoSuchOpAtAll"
    elif kind == "dangling":
        last.input[0] = "nowhere"
    elif kind == "nameless":
        last.name = ""
    else:
        return {"lfs": b"version https://git-lfs.github.com/spec/v1\n", "cut": content[:20], "empty": b""}[kind]
    return graph_def.SerializeToString()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("lfs", "is a Git LFS pointer"),
        ("cut", "is not a GraphDef, or is damaged"),
        ("empty", "is empty"),
        ("unknown", r"'features' \(NoSuchOpAtAll\) is not known"),
        ("dangling", "depend on no input of"),
        ("nameless", "has no name"),
    ],
)
def test_what_is_damaged(tmp_path, kind, message) -> None:
    file = freeze(tmp_path / "trunk.pb", lambda: features(x()), ["features"])
    file.write_bytes(damaged(file.read_bytes(), kind))
    with pytest.raises(RequestError, match=message):
        train_on(file, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["trunk.pb"]


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        ({"trainable": ["nothing*"]}, "'nothing[*]' matches no constant of the trunk"),
        ({"constants": {"x": 1}}, "depend on no input"),
        ({"constants": {"rate": 1}}, "the outputs do not need the placeholder 'rate'"),
        ({"input_map": {"x": "rows"}}, "the data has no input 'rows'; there are: x"),
        ({"input_map": {"rows": "x"}}, "the outputs do not need the placeholder 'rows'"),
        ({"prefix": "a b"}, "trunk.prefix"),
    ],
    ids=str,
)
def test_wrong_arguments(tmp_path, trunk, message) -> None:
    file = freeze(tmp_path / "trunk.pb", lambda: features(x()), ["features"])
    with pytest.raises((RequestError, ValueError), match=message):
        train_on(file, tmp_path / "run", trunk=trunk)
    assert not Path(tmp_path / "run").exists()


def test_weights_that_no_gradient_reaches_are_told(tmp_path, caplog) -> None:
    def make() -> None:
        kernel = tf.constant(np.eye(2, dtype=np.float32), name="kernel")
        features(tf.one_hot(tf.argmax(x() @ kernel, 1), 2))

    file = freeze(tmp_path / "trunk.pb", make, ["features"])
    train_on(file, tmp_path / "run", trunk={"trainable": ["kernel"]}, epochs=1)
    assert "not trained, because the loss does not depend on them: trunk/kernel" in caplog.text
