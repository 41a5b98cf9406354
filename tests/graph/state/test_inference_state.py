"""State in inference: each call of the inference part computes what a first call in eager mode computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.forward.model_parts import ModelParts, build_model_parts

v1 = tf.compat.v1
layers = keras.layers

# Keras reads variables in eager mode in a way that NumPy warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.abs(np.random.default_rng(0).normal(size=(2, 5, 3))).astype(np.float32) + 0.1


class Count(layers.Layer):  # type: ignore[misc]
    """Layer that counts its calls; the count starts at a value that is given when it is built."""

    def build(self, _shape: Any) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")
        self.calls.assign(7.0)

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return x * self.calls


class Noise(layers.Layer):  # type: ignore[misc]
    """Layer that draws numbers in inference too."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, x: Any) -> Any:
        return x + keras.random.normal((3,), seed=self.seeds)


class Module(tf.Module):
    """Variables of a module, and a call that is given as a function."""

    def __init__(self, run: Callable[[Any, Any], Any], wrap: Callable[..., Any] = lambda run: run) -> None:
        super().__init__()
        self.n = tf.Variable(1.0, name="n")
        self.rows = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3), name="rows")
        self.generator = tf.random.Generator.from_seed(3)
        self.n.assign(4.0)
        self.run = wrap(run)

    def __call__(self, x: Any, training: bool) -> Any:
        return self.run(self, x)


def then(changed: Any, value: Any) -> Any:
    """Returns a value that is computed after a change of a variable."""
    return value()


def after(changed: Callable[[], Any], value: Callable[[], Any]) -> Any:
    with tf.control_dependencies([changed()]):
        return value()


def cached(m: Any, x: Any) -> Any:
    m.rows[1:3].assign(x[0, :2])
    m.rows[0, 1].assign(x[0, 0, 0])
    return x + m.rows[:1] + m.rows[2]


def scattered(m: Any, x: Any) -> Any:
    m.rows.scatter_update(tf.IndexedSlices(x[0, :1], [1]))
    m.rows.scatter_add(tf.IndexedSlices(x[0, :1], [2]))
    m.rows.scatter_nd_sub([[0, 1]], [5.0])
    return x + tf.reduce_sum(m.rows, 0) + tf.gather(m.rows, [1]) + tf.gather_nd(m.rows, [[2]])


def twice_drawn(m: Any, x: Any) -> Any:
    return x + m.generator.normal([3]) * m.generator.uniform([3])


CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "counted, then read": lambda m, x: then(m.n.assign_add(1.0), lambda: x * m.n),
    "read, then counted": lambda m, x: (x * m.n, m.n.assign_add(1.0))[0],
    "the result of assign_add": lambda m, x: x * m.n.assign_add(1.0),
    "control dependencies": lambda m, x: after(lambda: m.n.assign_sub(1.0), lambda: x * m.n),
    "a running maximum": lambda m, x: then(
        m.rows.assign(tf.maximum(m.rows, tf.reduce_max(x))), lambda: x / tf.reduce_sum(m.rows)
    ),
    "a cache, slice by slice": cached,
    "rows": scattered,
    "a generator": twice_drawn,
    "a branch that is not read": lambda m, x: then(
        tf.cond(x[0, 0, 0] > 0.0, lambda: m.n.assign_add(1.0) + 0.0, lambda: 0.0), lambda: x * 2.0
    ),
}
REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "a branch that is read": lambda m, x: then(
        tf.cond(x[0, 0, 0] > 0.0, lambda: m.n.assign_add(1.0) + 0.0, lambda: 0.0), lambda: x * m.n
    ),
    "a loop that reads": lambda m, x: (
        tf.while_loop(lambda y: tf.reduce_sum(y) < 100.0, lambda y: [y * m.n], [x])[0],
        m.n.assign_add(1.0),
    )[0],
}

KINDS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "LSTM": (lambda: layers.LSTM(4, stateful=True), ("lstm/rnn_state", "lstm/rnn_state_1")),
    "GRU": (lambda: layers.GRU(4, stateful=True, return_sequences=True), ("gru/rnn_state",)),
    "SimpleRNN": (lambda: layers.SimpleRNN(4, stateful=True, unroll=True), ("simple_rnn/rnn_state",)),
    "Bidirectional": (
        lambda: layers.Bidirectional(layers.GRU(4, stateful=True)),
        ("bidirectional/forward_gru/rnn_state", "bidirectional/backward_gru/rnn_state"),
    ),
    "ConvLSTM": (
        lambda: keras.Sequential([layers.Reshape((5, 3, 1)), layers.ConvLSTM1D(2, 2, stateful=True)]),
        ("sequential/conv_lstm1d/rnn_state", "sequential/conv_lstm1d/rnn_state_1"),
    ),
    "cells": (
        lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], stateful=True),
        ("rnn/rnn_state", "rnn/rnn_state_1", "rnn/rnn_state_2"),
    ),
    "a functional net": (
        lambda: keras.Sequential([keras.Input(batch_shape=(2, 5, 3)), layers.GRU(4, stateful=True)]),
        ("sequential/gru/rnn_state",),
    ),
    "a count": (Count, ("count/calls",)),
    "random numbers": (Noise, ("seed_generator/seed_generator_state",)),
    "training only": (
        lambda: keras.Sequential([layers.Dropout(0.5), layers.BatchNormalization(), layers.GaussianNoise(0.1)]),
        (),
    ),
}


class Model:
    """Model around a layer or a module."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.made = make()

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": called(self.made, inputs["x"])}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_sum(outputs["op"])


def called(made: Any, x: Any) -> Any:
    return made(x) if isinstance(made, Count | Noise) else made(x, training=False)


@pytest.fixture(autouse=True)
def names_from_the_start() -> None:
    keras.utils.clear_session()


def parts_of(make: Callable[[], Any]) -> ModelParts:
    return build_model_parts(lambda: Model(make), {"x": tf.TensorSpec([2, 5, 3], tf.float32)}, {})


def check_as_in_eager_mode(make: Callable[[], Any], state: tuple[str, ...]) -> None:
    """Compares two calls of the inference part with the first call in eager mode, from the same variables."""
    with tf.Graph().as_default(), v1.Session() as session:
        parts = parts_of(make)
        assert parts.inference.state == state
        session.run(v1.global_variables_initializer())
        parts.given.give(session)
        values = session.run({v.op.name: v for v in v1.global_variables()})
        op, loss = parts.inference.outputs["op"], parts.inference.loss
        (first, total), (again, _) = (session.run([op, loss], {"x:0": X}) for _ in range(2))
        after = session.run({v.op.name: v for v in v1.global_variables()})
    assert np.array_equal(first, again) and np.allclose(total, first.sum(), rtol=1e-5)
    assert all(np.array_equal(after[name], value) for name, value in values.items())
    keras.utils.clear_session()
    made = make()
    if isinstance(made, layers.Layer) and not made.built:
        made.build(X.shape)
    for variable in made.variables:
        name = getattr(variable, "path", variable.name).partition(":")[0]
        if name in values:
            variable.assign(values[name])
    assert np.allclose(called(made, tf.constant(X)), first, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_starts_from_the_initial_state(kind: str) -> None:
    check_as_in_eager_mode(*KINDS[kind])


@pytest.mark.parametrize("wrap", [lambda run: run, lambda run: tf.function(run, autograph=False)], ids=["", "function"])
@pytest.mark.parametrize("kind", CALLS)
def test_a_module_that_changes_its_variables(kind: str, wrap: Callable[..., Any]) -> None:
    changed = {"a running maximum": "rows", "a cache, slice by slice": "rows", "rows": "rows"}
    state = "random_generator/StateVar" if kind == "a generator" else changed.get(kind, "n")
    check_as_in_eager_mode(lambda: Module(CALLS[kind], wrap), (state,))


def test_functions_that_call_functions() -> None:
    inner = tf.function(lambda m, x: then(m.n.assign_add(1.0), lambda: x * m.n), autograph=False)
    check_as_in_eager_mode(
        lambda: Module(lambda m, x: inner(m, x) + inner(m, x) * m.n, lambda run: tf.function(run, autograph=False)),
        ("n",),
    )


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_start_from_an_initial_state_is_refused(kind: str) -> None:
    with tf.Graph().as_default(), pytest.raises(RequestError, match=r"inference changes 'n'.* of type "):
        parts_of(lambda: Module(REFUSED[kind]))


def test_large_equal_values_take_no_space() -> None:
    with tf.Graph().as_default() as graph:
        parts_of(lambda: layers.SimpleRNN(900, stateful=True, recurrent_initializer="zeros"))
        assert max(op.node_def.ByteSize() for op in graph.get_operations()) < 2_000
