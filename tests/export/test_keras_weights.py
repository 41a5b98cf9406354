"""Weights of a run in a Keras model of eager mode."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import points, run, variables
from tests.models.test_keras_model import Subclassed
from trainer import load_into
from trainer.checkpoints.restoring.weight_names import names_of_weights
from trainer.errors import RequestError
from trainer.models.keras_model import KerasModel

layers = keras.layers


def functional(inputs=2):
    x = keras.Input((inputs,))
    hidden = layers.BatchNormalization()(layers.Dense(4)(layers.Dense(3)(x)))
    return keras.Model(x, layers.Dense(1, name="last")(hidden))


def recurrent():
    return keras.Sequential([keras.Input((2,)), layers.Reshape((2, 1)), layers.LSTM(3), layers.Dense(1)])


NETS = {"functional": functional, "subclassed": Subclassed, "recurrent": recurrent}


def trained(directory, make, optimizer=lambda: keras.optimizers.Adam(), **more):
    return run(
        directory,
        epochs=2,
        make_model=lambda: KerasModel(make, "mse"),
        make_optimizer=lambda *_: optimizer(),
        **more,
    )


def outputs(directory, prefix):
    """Returns the outputs of the run's own graph, restored by plain TensorFlow."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.compat.v1.train.import_meta_graph(f"{prefix}.meta").restore(session, str(prefix))
        name = next(each for each in ("last", "output", "dense") if _has(graph, each))
        return session.run(f"{name}:0", {"x:0": points().inputs["x"]})


def _has(graph, name):
    return any(each.name == name for each in graph.get_operations())


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("before", [0, 2])
def test_the_net_computes_what_the_run_does(kind, before, tmp_path) -> None:
    trained(tmp_path / "run", NETS[kind])
    keras.utils.clear_session()
    for _ in range(before):
        NETS[kind]()
    net = NETS[kind]()
    net(points().inputs["x"])
    loaded = load_into(net, f"{tmp_path / 'run'}@best" if before else tmp_path / "run")
    assert set(loaded) == {variable.path for variable in net.weights}
    expected = outputs(tmp_path / "run", tmp_path / "run/checkpoints/model-2")
    np.testing.assert_allclose(net(points().inputs["x"], training=False), expected, rtol=1e-4, atol=1e-6)


def test_averages_are_loaded_where_there_are_any(tmp_path) -> None:
    trained(tmp_path / "run", functional, lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    stored, net = variables(tmp_path / "run/checkpoints/model-2"), functional()
    average = next(name for name in stored if "last_kernel" in name and name.endswith("average"))
    for weights, name in ((None, average), ("averaged", average), ("trained", "last/kernel")):
        load_into(net, tmp_path / "run", weights=weights)
        assert net.get_layer("last").kernel.numpy().tolist() == stored[name].tolist()
    assert stored[average].tolist() != stored["last/kernel"].tolist()


def lazily():
    return keras.Sequential([layers.Dense(1)])


def in_a_graph():
    with tf.Graph().as_default():
        return functional()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: functional(5), r"does not fit functional.*\n  dense_1/kernel: model \[5, 3\], checkpoint dense_1/ker"),
        (recurrent, "no weight 'sequential/lstm/lstm_cell/kernel' and 4 more of the model; "),
        (lambda: keras.Sequential([keras.Input((4,)), layers.Dense(1, name="lost")], name="b"), "no weight 'b/lost"),
        (lazily, "has no weights yet; build it first"),
        (in_a_graph, "belongs to a graph"),
        (lambda: "net", "model is a str"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(make, message, one_run) -> None:
    keras.utils.clear_session()
    net = make()
    before = [each.numpy() for each in net.weights] if isinstance(net, keras.Model) and make is not in_a_graph else []
    with pytest.raises(RequestError, match=message):
        load_into(net, one_run)
    if before:
        assert all((a == b.numpy()).all() for a, b in zip(before, net.weights, strict=True))


@pytest.fixture(scope="module")
def one_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("one") / "run"
    trained(directory, functional)
    return directory


@pytest.mark.parametrize(
    ("wanted", "stored", "expected"),
    [
        (["a", "b"], ["a", "b", "c"], {"a": "a", "b": "b"}),
        # All by number, not one by name and the other by number.
        (["d_1/k", "d_2/k"], ["d/k", "d_1/k", "adam/d_k_m"], {"d_1/k": "d/k", "d_2/k": "d_1/k"}),
        (["n_1/d_9/k", "n_1/d_10/k"], ["n/d/k", "n/d_1/k"], {"n_1/d_9/k": "n/d/k", "n_1/d_10/k": "n/d_1/k"}),
        # Names of files from before Keras named the variables.
        (["d/k", "d_1/k", "d_2/k"], ["d/k", "d_1_1/k", "d_2/k"], {"d/k": "d/k", "d_1/k": "d_1_1/k", "d_2/k": "d_2/k"}),
        (["d/k"], ["d_1/k", "d_2/k"], {}),
        (["d/k", "e/k"], ["d_1/k"], {"d/k": "d_1/k"}),
    ],
)
def test_names_may_differ_in_what_keras_counts(wanted, stored, expected) -> None:
    assert names_of_weights(wanted, stored) == expected
