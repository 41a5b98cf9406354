"""Values that a constructor gives in a graph are those that it gives in eager mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.forward.model_parts import ModelParts, build_model_parts
from trainer.graph.state.constructor_checks import check_fits_a_graph
from trainer.graph.state.constructor_values import given_by

v1 = tf.compat.v1

# Keras reads variables in eager mode in a way that NumPy warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DATA = np.random.default_rng(0).normal(5, 3, (64, 4)).astype(np.float32)
MATRIX = np.arange(8, dtype=np.float32).reshape(4, 2)


def net() -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head"), keras.layers.BatchNormalization()])


def filled(layer: Any) -> Any:
    """Returns a built layer whose weights count from 0."""
    if not layer.built:
        layer.build((None, 4))
    for i, variable in enumerate(layer.variables):
        variable.assign(np.full(variable.shape, i + 1.0))
    return layer


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a filled net: weights, the whole net, a checkpoint by objects, one by names, a SavedModel."""
    folder = tmp_path_factory.mktemp("files")
    saved = filled(net())
    saved.save_weights(folder / "net.weights.h5")
    saved.save(folder / "net.keras")
    tf.train.Checkpoint(net=saved).write(str(folder / "objects"))
    module = tf.Module()
    module.w = tf.Variable(MATRIX)
    tf.saved_model.save(module, str(folder / "saved_model"))
    with tf.Graph().as_default(), v1.Session() as session:
        session.run(v1.get_variable("w", initializer=MATRIX).initializer)
        v1.train.Saver().save(session, str(folder / "names"))
    return folder


def set_weights(_files: Path) -> Any:
    made = net()
    made.set_weights([np.full(v.shape, i + 2.0) for i, v in enumerate(made.weights)])
    return made


def load_weights(files: Path) -> Any:
    made = net()
    made.load_weights(files / "net.weights.h5")
    return made


def load_model(files: Path) -> Any:
    return keras.saving.load_model(files / "net.keras")


def own_variables(_files: Path) -> Any:
    made = keras.layers.Dense(2)
    made.build((None, 4))
    made.load_own_variables({"0": np.ones((4, 2)), "1": np.full(2, 3.0)})
    return made


def embedding_weights(_files: Path) -> Any:
    return keras.layers.Embedding(4, 2, weights=[MATRIX])


def embedding_constant(_files: Path) -> Any:
    made = keras.layers.Embedding(4, 2, embeddings_initializer=keras.initializers.Constant(MATRIX))
    made.build()
    return made


def averages(_files: Path) -> Any:
    made = keras.layers.BatchNormalization()
    made.build((None, 4))
    made.moving_mean.assign(DATA.mean(0))
    made.moving_variance.assign_add(DATA.var(0))
    return made


def adapted(_files: Path) -> Any:
    made = keras.layers.Normalization()
    made.adapt(DATA)
    return made


def adapted_twice_in_a_net(_files: Path) -> Any:
    first, second = keras.layers.Normalization(), keras.layers.Normalization(axis=None)
    first.adapt(DATA)
    second.adapt(DATA * 2)
    return keras.Sequential([keras.Input((4,)), first, second, keras.layers.Dense(1, kernel_initializer="ones")])


def metric(_files: Path) -> Any:
    made = keras.metrics.Mean()
    made.update_state([1.0, 2.0])
    return made


class Module(tf.Module):
    """Plain variables, changed by a function."""

    def __init__(self, change: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.a = tf.Variable(tf.ones([4, 2]), name="a")
        self.b = tf.Variable([1.0, 2.0], name="b")
        change(self.a, self.b)


def saved_model(files: Path) -> Any:
    module = tf.Module()
    module.loaded = tf.saved_model.load(str(files / "saved_model"))
    module.variables_ = [module.loaded.w]
    return module


def doubled(variable: Any, i: Any) -> Any:
    variable.assign_add(variable)
    return (i + 1,)


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "assign": lambda a, b: a.assign(MATRIX),
    "assign, then add to what was read": lambda a, b: (b.assign(b * 3.0), b.assign_add(b), a.assign_sub(a * b)),
    "swap": lambda a, b: (lambda old: (b.assign([7.0, 8.0]), a.assign(a + old)))(b.read_value()),
    "slices": lambda a, b: (a[1:3].assign(MATRIX[1:3]), a[0, 1].assign(b[1] * 5.0)),
    "scatter": lambda a, b: (
        a.scatter_update(tf.IndexedSlices([b * 2.0], [1])),
        a.scatter_nd_update([[2, 0]], [9.0]),
        b.scatter_add(tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]))),
    ),
    "v1.assign": lambda a, b: (v1.assign(a, MATRIX), v1.assign_add(b, b), v1.scatter_update(a, [0], [[5.0, 6.0]])),
    "a function": lambda a, b: tf.function(lambda: (a.assign(a * b), b.assign_add([1.0, 1.0]))[0])(),
    "a branch": lambda a, b: tf.cond(b[0] > 0.0, lambda: a.assign(a * 2.0) + 0.0, lambda: a.assign(a * 3.0) + 0.0),
    "a loop": lambda a, b: tf.function(lambda: tf.while_loop(lambda i: i < 3, lambda i: doubled(b, i), [0]))(),
    "stateless numbers": lambda a, b: b.assign(tf.random.stateless_normal([2], [1, 2])),
    "values that are computed": lambda a, b: a.assign(tf.linalg.inv(tf.eye(4) * 4.0)[:, :2] @ tf.linalg.diag(b)),
    "numbers drawn once, used twice": lambda a, b: (lambda x: (b.assign(x), b.assign_sub(x)))(tf.random.normal([2])),
}

KINDS: dict[str, Callable[[Path], Any]] = {
    **{
        each.__name__: each
        for each in (
            set_weights,
            load_weights,
            load_model,
            own_variables,
            embedding_weights,
            embedding_constant,
            averages,
            adapted,
            adapted_twice_in_a_net,
            metric,
        )
    },
    **{name: (lambda _files, change=change: Module(change)) for name, change in CHANGES.items()},
}


class Model:
    """Model of whatever a function makes, whose output needs none of it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.made = make()

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] * 2.0}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_sum(outputs["op"])


class FirstCall(Model):
    """The same with a layer that is called, and so built in the first call."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.made(inputs["x"])}


def parts_of(make: Callable[[], Any], kind: type = Model) -> ModelParts:
    return build_model_parts(lambda: kind(make), {"x": tf.TensorSpec([None, 4], tf.float32)}, {})


def in_a_graph(make: Callable[[], Any], kind: type = Model) -> dict[str, Any]:
    """Returns the variables of a new session once all values have been given, by name."""
    keras.utils.clear_session()
    with tf.Graph().as_default(), v1.Session() as session:
        given = parts_of(make, kind).given
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        given.give(session)
        return session.run({v.op.name: v for v in v1.global_variables()})


@pytest.mark.parametrize("kind", KINDS)
def test_the_values_are_those_of_eager_mode(kind: str, files: Path) -> None:
    keras.utils.clear_session()
    eager = [v.numpy() for v in KINDS[kind](files).variables]
    found = list(in_a_graph(lambda: KINDS[kind](files)).values())
    for i, value in enumerate(eager):
        assert np.allclose(found[i], value, rtol=1e-6), i
    assert eager and len(found) == len(eager)


def test_a_saved_model_keeps_its_values(files: Path) -> None:
    found = in_a_graph(lambda: saved_model(files))
    assert np.array_equal(found["Variable"], MATRIX)


def test_an_initialiser_from_a_checkpoint_is_not_undone(files: Path) -> None:
    def make() -> Any:
        w = v1.get_variable("new", [4, 2])
        v1.train.init_from_checkpoint(str(files / "names"), {"w": w})
        w.assign_add(tf.ones([4, 2]))
        return w

    assert np.array_equal(in_a_graph(make)["new"], MATRIX + 1)


def test_reference_variables() -> None:
    def make() -> Any:
        w = v1.get_variable("w", initializer=[1.0, 2.0], use_resource=False)
        v1.assign_add(w, w * 2.0)
        v1.assign(w, w * w)
        v1.scatter_update(w, [0], [5.0])
        return w

    assert in_a_graph(make)["w"].tolist() == [5.0, 36.0]


@pytest.mark.parametrize(
    "initial",
    [lambda w: w.assign_add([1.0, 1.0]) * 2.0, lambda w: (w.assign([3.0, 4.0]), w.read_value() * 2.0)[1]],
    ids=["runs what gives it", "reads what is given"],
)
def test_an_initial_value_that_depends_on_a_given_one_is_refused(initial: Callable[[Any], Any]) -> None:
    def make() -> Any:
        return tf.Variable(initial(tf.Variable([1.0, 2.0], name="w")), name="u")

    with tf.Graph().as_default(), pytest.raises(RequestError, match=r"the initial value of .* depends .* to w "):
        parts_of(make)


def test_tables() -> None:
    with tf.Graph().as_default(), v1.Session() as session:

        def make() -> Any:
            table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
            table.insert(["a", "b"], tf.constant([1, 2], tf.int64))
            table.remove(tf.constant(["a"]))
            dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, -2, -3)
            dense.insert(tf.constant([5], tf.int64), tf.constant([7], tf.int64))
            return table, dense

        parts = parts_of(make)
        parts.given.give(session)
        table, dense = parts.model.made
        assert session.run(table.lookup(tf.constant(["a", "b"]))).tolist() == [-1, 2]
        assert session.run(dense.lookup(tf.constant([5], tf.int64))).tolist() == [7]
        assert parts.given.names == ("MutableHashTable", "MutableDenseHashTable")


class Late(keras.layers.Layer):  # type: ignore[misc]
    """Layer that gives its weight a value when it is built."""

    def build(self, _shape: Any) -> None:
        self.scale = self.add_weight(shape=(4,), name="scale")
        self.scale.assign(DATA[0])

    def call(self, x: Any) -> Any:
        return x * self.scale


def test_values_given_when_a_layer_is_built() -> None:
    assert np.array_equal(in_a_graph(Late, FirstCall)["late/scale"], DATA[0])


def test_an_op_made_to_be_fed_later_is_not_run(caplog) -> None:
    def make() -> Any:
        w = tf.Variable([1.0, 2.0], name="w")
        w.assign(v1.placeholder(tf.float32, [2]))
        v1.train.Saver([w])
        return w

    assert in_a_graph(make)["w"].tolist() == [1.0, 2.0]
    assert "the constructor has made a Saver (save/RestoreV2)" in caplog.text


def test_a_model_that_gives_nothing_gets_no_op() -> None:
    with tf.Graph().as_default() as graph:
        parts = parts_of(net)
        assert parts.given.runs == () and not any("constructor" in op.name for op in graph.get_operations())


class Kept(Model):
    """Model that keeps what ``assign`` returns, so that each read assigns again."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.made}


def test_a_result_of_assign_that_is_kept_is_refused() -> None:
    with (
        tf.Graph().as_default(),
        pytest.raises(RequestError, match=r"runs the constructor's .* again, which sets w back each time"),
    ):
        parts_of(lambda: tf.Variable(tf.zeros([4, 2]), name="w").assign(MATRIX), Kept)


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: keras.layers.TextVectorization().adapt(["a b", "b c"]), "TextVectorization.adapt .* vocabulary="),
        (lambda: keras.layers.StringLookup().adapt(["a", "b"]), "StringLookup.adapt .* vocabulary="),
        (lambda: keras.layers.IntegerLookup().adapt(np.array([[1], [2]])), "IntegerLookup.adapt .* vocabulary="),
        (lambda: keras.layers.Normalization().adapt(dataset()), "Normalization.adapt .* NumPy array, or mean="),
        (lambda: keras.layers.Discretization(num_bins=2).adapt(dataset()), "Discretization.adapt .* bin_boundaries="),
        (lambda: net().get_weights(), "Sequential.get_weights needs values.*assign one variable to the other"),
        (lambda: net().predict(DATA, verbose=0), "Sequential.predict needs values"),
        (lambda: bool(tf.Variable(1.0) > 0.0), "a graph has no values while it is built"),
        (lambda: tf.Variable(1.0).numpy(), "a graph has no values while it is built"),
    ],
)
def test_what_needs_values_is_refused_by_name(make: Callable[[], Any], remedy: str) -> None:
    keras.utils.clear_session()
    with tf.Graph().as_default(), pytest.raises(RequestError, match=f"^model cannot be made: .*{remedy}"):
        parts_of(make)


def dataset() -> Any:
    return tf.data.Dataset.from_tensor_slices(DATA).batch(8)


def test_boundaries_are_computed_from_an_array() -> None:
    def boundaries() -> Any:
        layer = keras.layers.Discretization(num_bins=3)
        layer.adapt(DATA)
        return layer.bin_boundaries

    eager = boundaries()
    with tf.Graph().as_default():
        assert np.allclose(boundaries(), eager)


def test_too_large_for_a_graph() -> None:
    with tf.Graph().as_default() as graph:
        tf.constant(MATRIX)
        check_fits_a_graph(graph, limit=32)
        with pytest.raises(RequestError, match=r"0.0 GB at most; write them into a checkpoint"):
            check_fits_a_graph(graph, limit=31)


def test_a_loop_whose_change_a_graph_leaves_out_is_refused() -> None:
    def change(a: Any, b: Any) -> None:
        tf.while_loop(lambda i: i < 3, lambda i: doubled(b, i), [0])

    with tf.Graph().as_default(), pytest.raises(RequestError, match=r"changes b in a loop or branch .*tf.function"):
        parts_of(lambda: Module(change))


@pytest.mark.parametrize("kind", [Model, FirstCall])
def test_a_restore_that_needs_a_session_is_refused(kind: type, files: Path) -> None:
    def make() -> Any:
        made = net() if kind is Model else keras.Sequential([keras.layers.Dense(2), keras.layers.BatchNormalization()])
        tf.train.Checkpoint(net=made).restore(str(files / "objects"))
        return made

    with tf.Graph().as_default(), pytest.raises(RequestError, match=r"restores nothing; use .*init_from_checkpoint"):
        parts_of(make, kind)


def test_the_loops_of_tensorflow_1_are_refused() -> None:
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), pytest.raises(RequestError, match="loop or branch of TensorFlow 1"):
            parts_of(lambda: Module(CHANGES["a branch"]))
    finally:
        v1.enable_control_flow_v2()


def test_what_counts_as_given() -> None:
    with tf.Graph().as_default() as graph:
        w = tf.Variable([1.0], name="w")
        read = w + 1.0
        w.assign(read)
        given = given_by(graph.get_operations(), graph)
        assert [op.type for op in given] == ["AssignVariableOp"] and given[0].name != "w/Assign"
