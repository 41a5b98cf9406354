"""Elements of each form that Keras takes: what the model gets, and the names in the graph."""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.saved_model import SavedModel
from tests.helpers import run
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import RequestError
from trainer.graph.data.data_source import inspect_source

v1 = tf.compat.v1
Dataset = tf.data.Dataset
X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
Y = X.sum(1).astype(np.float32)
W = np.tile(np.float32([0, 1, 2, 3]), 10)


class AnyForm:
    """Linear model of the first of its inputs and labels, whatever holds them; it keeps what it got."""

    def __init__(self) -> None:
        self.w = tf.Variable([[0.5], [0.1]], name="w")
        self.got: dict[str, Any] = {}

    def __call__(self, inputs: Any, training: bool) -> Any:
        FORMS["inputs"] = form_of(inputs)
        x = tf.nest.flatten(inputs)[0]
        return {"op": (x @ self.w)[:, 0]}

    def loss(self, outputs: Any, labels: Any, sample_weight: Any = None) -> Any:
        FORMS["labels"], FORMS["sample_weight"] = form_of(labels), form_of(sample_weight)
        y = 1.0 if labels is None else (tf.nest.flatten(labels) or [1.0])[0]
        weight = 1.0 if sample_weight is None else tf.nest.flatten(sample_weight)[0]
        return tf.reduce_mean(weight * tf.square(outputs["op"] - y))


FORMS: dict[str, Any] = {}


def form_of(part: Any) -> Any:
    return tf.nest.map_structure(lambda _: 0, part) if part is not None else None


Pair = collections.namedtuple("Pair", "features target")

FORMED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "inputs alone": ((X,), ("x",)),
    "inputs by name alone": (({"a": X},), ("a",)),
    "a pair": ((X, Y), ("x", "y")),
    "with weights": ((X, Y, W), ("x", "y", "sample_weight")),
    "tuples": (((X, X), (Y, Y)), ("x_0", "x_1", "y_0", "y_1")),
    "dicts": (({"b": X, "a": X}, {"y": Y}), ("b", "a", "y")),
    "nested": (({"a": {"b": X, "c": (X, X)}}, {"d": (Y,)}), ("a_b", "a_c_0", "a_c_1", "d_0")),
    "a name, a tensor": (({"a": X}, Y), ("a", "y")),
    "weights by name": (({"a": X}, {"d": Y}, {"d": W}), ("a", "d", "sample_weight_d")),
    "no labels in a dict": (({"a": X}, {}), ("a",)),
    "a named tuple": ((Pair(X, X), Y), ("x_0", "x_1", "y")),
}


@pytest.mark.parametrize("kind", ["arrays", "stream"])
@pytest.mark.parametrize("name", FORMED)
def test_a_model_gets_the_form_that_the_data_has(name, kind, tmp_path) -> None:
    parts, names = FORMED[name]
    held = Arrays(*parts)
    data: Any = InMemory(held, 8, validation=0.2)
    if kind == "stream":
        element = parts if len(parts) > 1 else parts[0]
        make = lambda: Dataset.from_tensor_slices(element)  # noqa: E731
        data = Streamed(make, 8, validation=make)
    state = run(tmp_path / "run", {"e": Evaluate(), "c": Checkpoint()}, data=data, make_model=AnyForm, epochs=2)
    expected = [form_of(each) for each in (*parts, None, None)[:3]]
    assert [FORMS["inputs"], FORMS["labels"], FORMS["sample_weight"]] == expected
    assert state.metrics["val_loss"] > 0
    # Users of the .meta feed the same names, and its train_step is an update.
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "run/checkpoints/model.meta"))
        session.run(v1.global_variables_initializer())
        fed = {f"{each}:0": array[:8] for each, array in held.all.items()}
        assert tuple(held.all) == names
        y = Y[:8] if held.form.labels else 1.0
        w = W[:8] if len(parts) > 2 else 1.0
        assert session.run("loss:0", fed) == pytest.approx(np.mean(w * (X[:8] @ [0.5, 0.1] - y) ** 2), rel=1e-5)
        session.run("train_step", fed)
        assert session.run("w:0").tolist() != np.float32([[0.5], [0.1]]).tolist()


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "four parts": (lambda: Dataset.from_tensor_slices((X, X, X, X)), "a tuple of 4 parts; it must be inputs"),
    "input and label": (lambda: Dataset.from_tensor_slices(({"a": X}, {"a": Y})), "'a' is both an input and a label"),
    "label named as weights": (
        lambda: Dataset.from_tensor_slices((X, {"sample_weight": Y}, W)),
        "'sample_weight' is the name of the sample weights and of",
    ),
    "names that join": (lambda: Dataset.from_tensor_slices({"a": {"b": X}, "a_b": X}), "two of the inputs .* 'a_b'"),
    "names of parts of ragged": (
        lambda: Dataset.from_tensor_slices({"a": tf.ragged.constant([[1, 2], [3]]), "a_values": [1.0, 2.0]}),
        "two tensors of the data have the name 'a_values'",
    ),
    "nothing": (lambda: Dataset.from_tensor_slices(({}, {"y": Y})), "no inputs"),
    "no data set": (lambda: [X, Y], "dataset is a list; it must be a tf.data.Dataset"),
    "a data set of data sets": (
        lambda: Dataset.from_tensor_slices(X).window(4),
        "data 'x' is a Dataset; it must be a tensor, a ragged or a sparse tensor",
    ),
    "unknown rank": (
        lambda: Dataset.from_tensor_slices(X).map(lambda x: tf.numpy_function(lambda a: a, [x], tf.float32)),
        "data 'x' has an unknown number of axes",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_element_of_another_form_is_refused_by_name(name) -> None:
    make, message = WRONG[name]
    with pytest.raises(RequestError, match=message):
        inspect_source(Streamed(make, 2))


def test_weights_that_the_loss_would_leave_out_are_refused(tmp_path) -> None:
    class Without(AnyForm):
        def loss(self, outputs: Any, labels: Any) -> Any:  # type: ignore[override]
            return super().loss(outputs, labels)

    with pytest.raises(RequestError, match=r"the data has sample weights, and Without.loss has no parameter"):
        run(tmp_path / "run", data=InMemory(Arrays(X, Y, W), 8), make_model=Without)


class Words:
    """Model of ragged or sparse words: the sum of their vectors."""

    def __init__(self) -> None:
        self.table = tf.Variable(tf.random.stateless_normal([20, 2], [1, 2]), name="table")

    def __call__(self, inputs: Any, training: bool) -> Any:
        ids = inputs["ids"]
        if isinstance(ids, tf.SparseTensor):
            assert ids.shape.rank == 2
            total = tf.nn.embedding_lookup_sparse(self.table, ids, None, combiner="sum")
        elif ids.ragged_rank == 2:
            total = tf.reduce_sum(tf.reduce_sum(tf.gather(self.table, ids), 2), 1)
        else:
            total = tf.reduce_sum(tf.gather(self.table, ids), 1)
        return {"op": total[:, 0]}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels))


ROWS = [[i % 7 + 1] * (i % 3 + 1) for i in range(20)]
Z = np.float32([len(row) for row in ROWS])


def sparse() -> Any:
    dense = tf.ragged.constant(ROWS, tf.int64).to_tensor()
    return Dataset.from_tensor_slices(({"ids": tf.sparse.from_dense(dense)}, Z))


COMPOSED: dict[str, tuple[Streamed, tuple[str, ...]]] = {
    "ragged": (
        Streamed(lambda: Dataset.from_tensor_slices(({"ids": tf.ragged.constant(ROWS, tf.int64)}, Z)), 4),
        ("ids_values", "ids_row_splits", "y"),
    ),
    "ragged twice": (
        Streamed(lambda: Dataset.from_tensor_slices(({"ids": tf.ragged.constant([[r, r] for r in ROWS])}, Z)), 4),
        ("ids_values", "ids_row_splits_0", "ids_row_splits_1", "y"),
    ),
    "ragged batches, the last one short": (
        Streamed(
            lambda: Dataset.from_tensor_slices(({"ids": tf.ragged.constant(ROWS, tf.int64)}, Z)).batch(7), batched=True
        ),
        ("ids_values", "ids_row_splits", "y"),
    ),
    "sparse": (Streamed(sparse, 4), ("ids_indices", "ids_values", "ids_dense_shape", "y")),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_ragged_and_sparse_tensors_reach_the_model(name, tmp_path) -> None:
    """They train, are evaluated, and are fed to a SavedModel as the dense tensors that they consist of."""
    data, names = COMPOSED[name]
    data.validation = data.dataset
    callbacks = {"e": Evaluate(), "s": SavedModel(), "c": Checkpoint()}
    state = run(tmp_path / "run", callbacks, data=data, make_model=Words, epochs=2)
    table = tf.train.load_checkpoint(str(tmp_path / "run/checkpoints/model-2")).get_tensor("table")
    factor = 2 if "twice" in name else 1
    sums = np.array([factor * table[row, 0].sum() for row in ROWS])
    assert state.metrics["val_loss"] == pytest.approx(np.mean((sums - Z) ** 2), rel=1e-4)
    assert exported(next((tmp_path / "run/export/saved_model").iterdir()), names[:-1], factor) == pytest.approx(
        sums[:2], rel=1e-4
    )


def exported(directory: Path, names: tuple[str, ...], factor: int) -> Any:
    """Returns the outputs of a SavedModel for the first two rows, fed in plain TensorFlow."""
    fed: dict[str, Any] = {
        "ids_values": ROWS[0] * factor + ROWS[1] * factor,
        "ids_row_splits": [0, 1, 3],
        "ids_row_splits_0": [0, 2, 4],
        "ids_row_splits_1": [0, 1, 2, 4, 6],
        "ids_indices": [[0, 0], [1, 0], [1, 1]],
        "ids_dense_shape": [2, 3],
    }
    signature = tf.saved_model.load(str(directory)).signatures["serving_default"]
    dtypes = {name: spec.dtype for name, spec in signature.structured_input_signature[1].items()}
    assert dtypes.keys() <= set(names)  # the model may leave the shape of a sparse tensor alone
    return signature(**{name: tf.constant(fed[name], dtype) for name, dtype in dtypes.items()})["op"].numpy()


def test_means_are_weighted_by_the_examples_of_a_batch(tmp_path) -> None:
    """40 examples in batches of 12, 12, 12 and 4, with a rate of 0: the epoch's mean is that of all examples."""
    make = lambda: Dataset.from_tensor_slices((X, Y)).batch(12)  # noqa: E731
    data = Streamed(make, batched=True, validation=make)
    optimizer = lambda _step, _scale: v1.train.GradientDescentOptimizer(0.0)  # noqa: E731
    state = run(tmp_path / "run", {"e": Evaluate()}, data=data, make_model=AnyForm, epochs=2, make_optimizer=optimizer)
    mean = np.mean((X @ np.float32([0.5, 0.1]) - Y) ** 2)
    assert state.global_step == 8
    assert (state.metrics["loss"], state.metrics["val_loss"]) == pytest.approx((mean, mean), rel=1e-5)
