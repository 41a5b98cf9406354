"""Variables and tables, restored under the names that the Saver gave them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import run, variables
from tests.old_graphs import X, save_graph, variable
from trainer.errors import RequestError
from trainer.predict.backends.checkpoint import open_checkpoint
from trainer.predict.backends.dispatch import open_predictor


def test_a_checkpoint_of_some_variables_is_enough_to_predict_from(tmp_path) -> None:

    run(tmp_path / "run", {"c": Checkpoint(var_list={"weights": "w", "b": "b"})}, epochs=1)
    with open_predictor(tmp_path / "run") as predictor:
        values = variables(tmp_path / "run/checkpoints/model-1")
        assert predictor(x=X)["op"] == pytest.approx(X @ values["weights"] + values["b"], rel=1e-5)


v1 = tf.compat.v1


def test_variables_that_the_saver_named_otherwise_or_cut_into_parts(tmp_path) -> None:
    w = np.arange(8, dtype=np.float32).reshape(4, 2)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        cut = v1.get_variable(
            "cut", initializer=tf.constant(w), use_resource=False, partitioner=v1.fixed_size_partitioner(2)
        )
        tf.add(tf.matmul(x, tf.convert_to_tensor(cut)), variable("b", np.float32(1.0)), name="op")

    with tf.Graph().as_default(), v1.Session() as session:
        build()
        session.run(v1.global_variables_initializer())
        cut = [each for each in v1.global_variables() if each.op.name.startswith("cut")]
        (b,) = [each for each in v1.global_variables() if each.op.name == "b"]
        named = v1.train.Saver({"weights": cut, "offset": b})
        prefix = named.save(session, str(tmp_path / "model.ckpt"))
    assert set(tf.train.load_checkpoint(prefix).get_variable_to_shape_map()) == {"weights", "offset"}
    with open_checkpoint(prefix, ["op"]) as predictor:
        assert predictor(x=np.eye(4))["op"] == pytest.approx(w + 1)


def test_look_up_tables_are_filled(tmp_path) -> None:
    def build() -> None:
        words = v1.placeholder(tf.string, [None], name="words")
        entries = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([10, 20], tf.int64))
        tf.identity(tf.lookup.StaticHashTable(entries, -1).lookup(words), name="ids")
        variable("unused", np.float32(0.0))

    with open_checkpoint(save_graph(tmp_path, build), ["ids"]) as predictor:
        assert predictor(words=["b", "a", "c"])["ids"].tolist() == [20, 10, -1]


def test_a_checkpoint_of_another_graph_is_refused_with_all_differences(tmp_path) -> None:
    def build(size: int) -> None:
        x = v1.placeholder(tf.float32, [None, size], name="x")
        w = v1.get_variable("w", [size, 1], use_resource=True)
        tf.add(tf.matmul(x, w), v1.get_variable("b", [1], use_resource=True), name="op")

    prefix = save_graph(tmp_path / "three", lambda: build(3))
    other = save_graph(tmp_path / "four", lambda: build(4))
    with pytest.raises(RequestError, match=r"(?s)does not match .*w: graph float32 \[4, 1\], file float32 \[3, 1\]"):
        open_checkpoint(prefix, ["op"], meta=f"{other}.meta")
