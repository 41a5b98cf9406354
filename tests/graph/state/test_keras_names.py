"""Names of Keras variables: Keras's paths, and checkpoints from before that."""

from __future__ import annotations

import contextlib

import keras
import pytest
import tensorflow as tf

from tests.helpers import assert_same_bits, run, variables
from trainer.graph.state import keras_names
from trainer.graph.state.keras_names import named_by_keras, older_names, older_names_in_file
from trainer.warm_start import WarmStart

v1 = tf.compat.v1
layers = keras.layers


class Subclassed(keras.Model):
    """Model whose layers have no build of their own in it."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = layers.Dense(3), layers.BatchNormalization()
        self.last = layers.Dense(4, name="out")

    def call(self, x, training=False):
        return self.last(self.norm(self.first(x), training=training))


class Nested(keras.Model):
    """Model with a part that it builds itself, and a subclassed one."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.inner = layers.Dense(3), layers.Dense(3), Subclassed()

    def build(self, shape):
        self.first.build(shape)
        self.second.build((None, 3))
        self.built = True

    def call(self, x, training=False):
        return self.inner(self.second(self.first(x)), training=training)


def functional():
    x = keras.Input((4,))
    shared = layers.Dense(3)
    return keras.Model(x, layers.Dense(4)(layers.Dropout(0.5)(shared(shared(layers.Dense(3)(x))))))


def in_a_functional():
    x = keras.Input((4,))
    return keras.Model(x, keras.Sequential([layers.Dense(3), layers.Dense(4)])(functional()(x)))


def recurrent():
    x = keras.Input((4,))
    sequence = layers.LSTM(3, return_sequences=True)(layers.Reshape((4, 1))(x))
    return keras.Model(x, layers.Bidirectional(layers.GRU(2, dropout=0.1))(sequence))


def wrapped():
    x = keras.Input((4,))
    attended = layers.MultiHeadAttention(2, 3)(*[layers.Reshape((4, 1))(x)] * 2)
    return keras.Model(x, layers.SpectralNormalization(layers.Dense(3))(layers.Flatten()(attended)))


def two():
    return keras.Sequential([keras.Sequential([layers.Dense(3)]), keras.Sequential([layers.Dense(4)])])


NETS = {
    "sequential": lambda: keras.Sequential([layers.Dense(3), layers.BatchNormalization(), layers.Dense(3)]),
    "with an input": lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(3)]),
    "functional": functional,
    "subclassed": Subclassed,
    "nested": Nested,
    "in a functional": in_a_functional,
    "recurrent": recurrent,
    "wrapped": wrapped,
    "two": two,
    "application": lambda: keras.applications.MobileNetV3Small(
        (32, 32, 1), weights=None, classes=2, include_preprocessing=False
    ),
}


def called(make):
    net = make()
    shape = (2, 32, 32, 1) if net.name.startswith("Mobile") else (2, 4)
    net(tf.zeros(shape))
    return net


def paths(make):
    """Returns the paths that Keras gives in eager mode."""
    keras.utils.clear_session()
    return [variable.path for variable in called(make).variables]


def in_graph(make, before=()):
    keras.utils.clear_session()
    with tf.Graph().as_default(), named_by_keras():
        for scope in before:
            with tf.name_scope(scope):
                tf.zeros([])
        return [variable.value.op.name for variable in called(make).variables]


@pytest.mark.parametrize("kind", NETS)
def test_names_are_those_of_keras(kind) -> None:
    assert in_graph(NETS[kind]) == paths(NETS[kind])


def test_names_do_not_depend_on_what_the_graph_holds() -> None:
    assert in_graph(functional, before=("dense", "dense_1", "out", "functional")) == paths(functional)


@pytest.mark.parametrize("kind", NETS)
def test_the_older_names_are_known(kind, monkeypatch) -> None:
    keras.utils.clear_session()
    with tf.Graph().as_default() as graph, named_by_keras():
        names = [variable.value.op.name for variable in called(NETS[kind]).variables]
        older = older_names(graph)
    by_scope(monkeypatch)
    assert [older[name] for name in names] == in_graph(NETS[kind])


def test_a_graph_that_is_no_graph_of_a_run_is_left_alone() -> None:
    before = keras.Variable._initialize
    with tf.Graph().as_default(), named_by_keras():
        with tf.init_scope():
            pass
        assert keras.Variable._initialize is not before
    assert keras.Variable._initialize is before
    assert keras.Variable([1.0], name="w").value.numpy().tolist() == [1.0]


PERMUTED = {"dense/kernel": "dense_1/kernel", "dense_1/kernel": "dense_2/kernel"}


@pytest.mark.parametrize(
    ("stored", "wanted", "older", "expected"),
    [
        (PERMUTED.values(), PERMUTED, PERMUTED, PERMUTED),
        (PERMUTED, PERMUTED, PERMUTED, {}),
        (["other"], PERMUTED, PERMUTED, {}),
        (
            ["d_1_1/kernel", "adam_2/d_1_1_kernel_0_momentum", "d_1_1/kernel/Momentum", "step"],
            ["d_1/kernel", "adam_2/d_1_kernel_0_momentum", "d_1/kernel/Momentum", "step"],
            {"d/kernel": "d/kernel", "d_1/kernel": "d_1_1/kernel"},
            {
                "d_1/kernel": "d_1_1/kernel",
                "adam_2/d_1_kernel_0_momentum": "adam_2/d_1_1_kernel_0_momentum",
                "d_1/kernel/Momentum": "d_1_1/kernel/Momentum",
            },
        ),
    ],
)
def test_older_names_hold_for_a_file_as_a_whole(stored, wanted, older, expected) -> None:
    assert older_names_in_file(set(stored), set(wanted), older) == expected


def by_scope(monkeypatch) -> None:
    """Lets TensorFlow's scopes name the variables, as they did before."""
    monkeypatch.setattr(keras_names, "_in_place_of", lambda *_: contextlib.nullcontext())


class OnKeras:
    """Model on a net of Keras whose names have changed."""

    def __init__(self, *more: type) -> None:
        self.net = keras.Sequential([layers.Dense(3), layers.Dense(3), *(each() for each in more), layers.Dense(1)])
        self.mean = keras.metrics.Mean()

    def __call__(self, inputs, training):
        return {"op": self.net(inputs["x"], training=training)}

    def loss(self, outputs, labels):
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))

    def metrics(self, outputs, labels):
        self.mean.update_state(outputs["op"])
        return {"mean": self.mean}


OPTIMIZERS = {
    "adam": lambda *_: keras.optimizers.Adam(0.01, use_ema=True),
    "sgd": lambda *_: keras.optimizers.SGD(0.01, momentum=0.9),
    "adafactor": lambda *_: keras.optimizers.Adafactor(0.01),
    "v1 momentum": lambda *_: v1.train.MomentumOptimizer(0.01, 0.9),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_run_with_older_names_goes_on_as_if_nothing_had_happened(kind, tmp_path, monkeypatch) -> None:
    # Adafactor makes variables of the same name for two layers without a scope, which it numbers.
    more = () if kind == "adafactor" else (Subclassed,)
    parts = {"make_model": lambda: OnKeras(*more), "make_optimizer": OPTIMIZERS[kind]}
    run(tmp_path / "straight", epochs=4, **parts)
    with monkeypatch.context() as before:
        by_scope(before)
        run(tmp_path / "old", epochs=2, **parts)
    old = variables(tmp_path / "old/checkpoints/model-2")
    assert "sequential/dense_1_1/kernel" in old
    run(tmp_path / "old", epochs=4, **parts)
    assert "sequential/dense_1/kernel" in variables(tmp_path / "old/checkpoints/model-4")
    assert_same_bits(tmp_path / "straight/checkpoints/model-4", tmp_path / "old/checkpoints/model-4")


def test_a_warm_start_finds_older_names(tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as before:
        by_scope(before)
        run(tmp_path / "old", epochs=1, make_model=lambda: OnKeras(Subclassed))
    old = variables(tmp_path / "old/checkpoints/model-1")
    run(
        tmp_path / "new",
        epochs=1,
        make_model=lambda: OnKeras(Subclassed),
        make_optimizer=lambda *_: keras.optimizers.SGD(1e-30),
        warm_start=WarmStart(tmp_path / "old", ["*/kernel"]),
    )
    new = variables(tmp_path / "new/checkpoints/model-1")
    pairs = {
        "sequential/dense/kernel": "sequential/dense/kernel",
        "sequential/dense_1/kernel": "sequential/dense_1_1/kernel",
        "sequential/subclassed/out/kernel": "sequential/subclassed/kernel_1",
    }
    assert all(new[name].tobytes() == old[older].tobytes() for name, older in pairs.items())
