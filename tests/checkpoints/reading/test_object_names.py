"""Names of variables in checkpoints of objects."""

from __future__ import annotations

import json

import keras
import pytest
import tensorflow as tf

from trainer.checkpoints.reading.object_names import OBJECT_GRAPH, VALUE, keys_by_name, names_by_key


def keras_net():
    net = keras.Sequential([keras.Input([4]), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(2, name="head")])
    net.compile(keras.optimizers.Adam(), "mse")
    net.train_on_batch(tf.ones([2, 4]), tf.ones([2, 2]))
    return net


def plain_objects():
    part = tf.train.Checkpoint(kernel=tf.Variable(tf.ones([4, 2]), name="dense/kernel"))
    return tf.train.Checkpoint(
        model=part, twin=tf.train.Checkpoint(kernel=tf.Variable(tf.ones([2]), name="twin/kernel"))
    )


def test_own_names_are_shown(tmp_path, tool) -> None:
    plain_objects().write(str(tmp_path / "cp.ckpt"))
    code, text = tool("show", tmp_path, "--json")
    assert code == 0, text
    shown = json.loads(text)
    assert [(each["name"], each["shape"]) for each in shown["variables"]] == [
        ("dense/kernel", [4, 2]),
        ("twin/kernel", [2]),
    ]
    assert shown["parameters"]["model"] == 10
    code, text = tool("show", tmp_path)
    assert ".ATTRIBUTES" not in text
    assert "_CHECKPOINTABLE_OBJECT_GRAPH" not in text


def test_a_net_of_keras_and_its_optimizer(tmp_path, tool) -> None:
    net = keras_net()
    tf.train.Checkpoint(model=net, optimizer=net.optimizer).save(str(tmp_path / "ckpt"))
    code, text = tool("show", tmp_path, "--json")
    assert code == 0, text
    shown = json.loads(text)
    names = {each["name"]: each for each in shown["variables"]}
    assert not [name for name in names if ".ATTRIBUTES" in name]
    assert shown["parameters"]["model"] - 1 == net.count_params()  # and the number of the save
    assert shown["parameters"]["optimizer"] >= 2 * net.count_params()
    assert all(each["mean"] is not None for each in shown["variables"])


def test_without_values_the_paths_are_shown(tmp_path, tool) -> None:
    plain_objects().write(str(tmp_path / "cp.ckpt"))
    (tmp_path / "cp.ckpt.data-00000-of-00001").unlink()
    code, text = tool("show", tmp_path)
    assert (code, "model/kernel " in text, "without values" in text) == (0, True, True)


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff", b"\x0a\x02\x08"])
def test_a_damaged_graph_of_objects_leaves_the_paths(content) -> None:
    stored = [f"model/kernel{VALUE}", OBJECT_GRAPH]
    assert names_by_key(content, stored) == {f"model/kernel{VALUE}": "model/kernel"}
    assert all(name == "model/kernel" for name in keys_by_name(content, stored))
