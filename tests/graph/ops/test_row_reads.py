"""Rows of large variables are read alone, with the values and the updates that reading all of them gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import assert_same_bits, run
from trainer.data.arrays import Arrays, InMemory
from trainer.graph.ops import row_reads
from trainer.graph.ops.row_reads import rows_read_alone

v1 = tf.compat.v1
ROWS, COLUMNS = 1500, 8


def variable() -> Any:
    start = np.arange(ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    return v1.get_variable("table", initializer=start, use_resource=True)


def small() -> Any:
    return v1.get_variable("small", initializer=np.ones([ROWS, 2], np.float32), use_resource=True)


def layer() -> Any:
    made = keras.layers.Embedding(ROWS, COLUMNS)
    made.build()
    return made


def keras_variable() -> Any:
    return keras.Variable(np.ones([ROWS, COLUMNS], np.float32))


def written_since(table: Any, i: Any) -> Any:
    value = table.read_value()
    table.assign(table + 1.0)
    return tf.gather(value, i)


def read_after_a_write(table: Any, i: Any) -> Any:
    table.assign(table + 1.0)
    return tf.gather(table.read_value(), i)


ALONE: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any]]] = {
    "gather of a variable": (variable, tf.gather),
    "gather of its value": (variable, lambda table, i: tf.gather(table.read_value(), i)),
    "gather of its tensor": (variable, lambda table, i: tf.gather(tf.convert_to_tensor(table), i, axis=0)),
    "embedding_lookup": (variable, tf.nn.embedding_lookup),
    "embedding_lookup of its value": (variable, lambda table, i: tf.nn.embedding_lookup(table.read_value(), i)),
    "gather of TensorFlow 1": (variable, lambda table, i: v1.gather(table.read_value(), i)),
    "read after a write": (variable, read_after_a_write),
    "Embedding": (layer, lambda made, i: made(i)),
    "keras.ops.take": (keras_variable, lambda table, i: keras.ops.take(table, i, axis=0)),
}
WHOLE: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any]]] = {
    "another axis": (variable, lambda table, i: tf.gather(table.read_value(), i % COLUMNS, axis=1)),
    "batches": (variable, lambda table, i: tf.gather(table.read_value()[:2], i[:, :1], batch_dims=1)),
    "computed": (variable, lambda table, i: tf.gather(table * 2.0, i)),
    "written since": (variable, written_since),
    "small": (small, lambda table, i: tf.gather(table.read_value(), i)),
}


def looked_up(name: str, *, alone: bool, monkeypatch: Any) -> tuple[set[str], Any, Any]:
    """Returns the op types of a look-up, its values, and the table after a step along the gradient."""
    make, look_up = {**ALONE, **WHOLE}[name]
    if not alone:
        monkeypatch.setattr(row_reads, "WORTH_IT", 10**9)
    keras.utils.set_random_seed(0)
    with tf.Graph().as_default() as graph, rows_read_alone(), v1.Session() as session:
        table = make()
        trained = v1.trainable_variables()[0]

        def step(i: Any) -> Any:
            rows = look_up(table, i)
            [gradient] = tf.gradients(tf.reduce_sum(rows * rows), [trained])
            v1.train.GradientDescentOptimizer(0.5).apply_gradients([(gradient, trained)])
            return rows

        traced = tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec([2, 3], tf.int32))
        rows = traced(tf.constant([[3, 1, 3], [0, 2, 1]]))
        session.run(v1.global_variables_initializer())
        assert graph is rows.graph
        return {op.type for op in traced.graph.get_operations()}, session.run(rows), session.run(trained)


@pytest.mark.parametrize("name", ALONE)
def test_rows_are_read_alone_with_the_same_values_and_gradients(name, monkeypatch) -> None:
    types, rows, table = looked_up(name, alone=True, monkeypatch=monkeypatch)
    assert "ResourceGather" in types
    assert "GatherV2" not in types
    _, other_rows, other_table = looked_up(name, alone=False, monkeypatch=monkeypatch)
    np.testing.assert_array_equal(rows, other_rows)
    np.testing.assert_array_equal(table, other_table)


@pytest.mark.parametrize("name", WHOLE)
def test_what_needs_the_whole_value_reads_it(name, monkeypatch) -> None:
    types, rows, _ = looked_up(name, alone=True, monkeypatch=monkeypatch)
    assert "GatherV2" in types
    np.testing.assert_array_equal(rows, looked_up(name, alone=False, monkeypatch=monkeypatch)[1])


def test_outside_of_the_block_nothing_is_replaced() -> None:
    with tf.Graph().as_default():
        table = variable()
        traced = tf.function(lambda i: tf.gather(table.read_value(), i)).get_concrete_function([7])
        assert "ResourceGather" not in {op.type for op in traced.graph.get_operations()}


class Words:
    """Classifier of sentences with a table that Keras's layer looks up."""

    def __init__(self) -> None:
        self.net = keras.Sequential([keras.layers.Embedding(ROWS, COLUMNS), keras.layers.GlobalAveragePooling1D()])
        self.net.build((None, 5))

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.net(inputs["words"], training=training)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad"])
def test_a_run_has_the_same_bits_as_one_that_reads_all(optimizer, tmp_path, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, ROWS, (40, 5)).astype(np.int32)
    arrays = Arrays({"words": words}, {"y": rng.normal(size=(40, COLUMNS)).astype(np.float32)})
    make = {"make_optimizer": lambda _step, _scale: getattr(keras.optimizers, optimizer)(0.5)}
    handles: list[Any] = []
    handle_of = row_reads._handle_of
    monkeypatch.setattr(row_reads, "_handle_of", lambda value: handles.append(handle_of(value)) or handles[-1])
    run(tmp_path / "alone", make_model=Words, data=InMemory(arrays, 8), **make)
    assert any(handle is not None for handle in handles)
    monkeypatch.setattr(row_reads, "WORTH_IT", 10**9)
    run(tmp_path / "whole", make_model=Words, data=InMemory(arrays, 8), **make)
    assert_same_bits(tmp_path / "alone/checkpoints/model-3", tmp_path / "whole/checkpoints/model-3")
