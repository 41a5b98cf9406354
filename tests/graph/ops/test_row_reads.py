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
    return keras.Variable(np.ones([ROWS, 2], np.float32))


def cast_layer() -> Any:
    made = keras.layers.Embedding(ROWS, COLUMNS, dtype="mixed_bfloat16")
    made.build()
    return made


def layer() -> Any:
    made = keras.layers.Embedding(ROWS, COLUMNS)
    made.build()
    return made


def keras_variable() -> Any:
    return keras.Variable(np.ones([ROWS, COLUMNS], np.float32))


def read_after_a_write(table: Any, i: Any) -> Any:
    table.assign(table + 1.0)
    return tf.gather(table, i)


ALONE: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any]]] = {
    "gather of a variable": (variable, tf.gather),
    "embedding_lookup": (variable, tf.nn.embedding_lookup),
    "Embedding": (layer, lambda made, i: made(i)),
    "keras.ops.take": (keras_variable, lambda table, i: keras.ops.take(table, i, axis=0)),
    "gather of Keras's variable": (keras_variable, tf.gather),
    "gather of TensorFlow 1": (keras_variable, v1.gather),
    "read after a write": (keras_variable, read_after_a_write),
}
WHOLE: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any]]] = {
    "value that the model reads": (variable, lambda table, i: tf.gather(table.read_value(), i)),
    "another axis": (keras_variable, lambda table, i: tf.gather(table, i % COLUMNS, axis=1)),
    "batches": (keras_variable, lambda table, i: tf.gather(table[:2], i[:, :1], batch_dims=1)),
    "computed": (keras_variable, lambda table, i: tf.gather(table * 2.0, i)),
    "cast": (cast_layer, lambda made, i: made(i)),
    "small": (small, tf.gather),
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


@pytest.mark.parametrize("read", [tf.convert_to_tensor, lambda table: table.read_value()])
def test_a_value_that_the_model_reads_has_gradients(read) -> None:
    def gradient(i: Any) -> Any:
        value = read(table)
        [found] = tf.gradients(tf.reduce_sum(tf.gather(value, i)), [value])
        return tf.convert_to_tensor(found)

    with tf.Graph().as_default(), rows_read_alone(), v1.Session() as session:
        table = variable()
        found = tf.function(gradient, autograph=False)([3, 3])
        session.run(v1.global_variables_initializer())
        assert session.run(found).sum(axis=1).nonzero()[0].tolist() == [3]


def test_outside_of_the_block_nothing_is_replaced() -> None:
    with tf.Graph().as_default():
        table = keras_variable()
        traced = tf.function(lambda i: tf.gather(table, i)).get_concrete_function([7])
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
    answers: list[bool] = []
    is_read_here = row_reads._is_read_here
    monkeypatch.setattr(row_reads, "_is_read_here", lambda value: answers.append(is_read_here(value)) or answers[-1])
    run(tmp_path / "alone", make_model=Words, data=InMemory(arrays, 8), **make)
    assert any(answers)
    monkeypatch.setattr(row_reads, "WORTH_IT", 10**9)
    run(tmp_path / "whole", make_model=Words, data=InMemory(arrays, 8), **make)
    assert_same_bits(tmp_path / "alone/checkpoints/model-3", tmp_path / "whole/checkpoints/model-3")
