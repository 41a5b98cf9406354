"""Keras models: what ``fit`` computes on the same batches, by epoch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.metrics import Metrics
from tests.helpers import assert_same_bits, run, variables
from trainer.data.arrays import Arrays, InMemory
from trainer.errors import RequestError
from trainer.graph.data.element_structure import ElementStructure
from trainer.models.keras_model import KerasModel
from trainer.state import SECS_KEYS
from trainer.training import train

layers, losses = keras.layers, keras.losses
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4)).astype(np.float32)
SUM = X.sum(1, keepdims=True)
SIGN = (X[:, :1] > 0).astype(np.float32)
CLASS = (X[:, 0] > 0).astype(np.int32) + (X[:, 1] > 0)
ONE_HOT = np.eye(3, dtype=np.float32)[CLASS]
WEIGHT = RANDOM.uniform(0.1, 2, 40).astype(np.float32)
WORDS = RANDOM.integers(0, 5, (40, 6)).astype(np.int32)
TRAIN, VALIDATION = slice(0, 24), slice(24, 38)
"""Parts of the data; the last batch of the validation part is short."""


def dense(units: int, seed: int, **more: Any) -> keras.layers.Dense:
    """Returns a layer whose initial values are the same wherever it is made."""
    return layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=seed), **more)


def sequential(units: int, activation: str | None = None, **layer: Any) -> keras.Model:
    return keras.Sequential([dense(5, 1, activation="tanh", **layer), dense(units, 2, activation=activation)])


def functional(form: type) -> keras.Model:
    x = keras.Input((4,), name="x")
    hidden = layers.BatchNormalization()(dense(5, 1, activation="tanh")(x))
    total, sign = dense(1, 2, name="total")(hidden), dense(1, 3, activation="sigmoid", name="sign")(hidden)
    return keras.Model(x, {"total": total, "sign": sign} if form is dict else [total, sign])


class Subclassed(keras.Model):
    """Model with a metric and a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = dense(5, 1, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01))
        self.last = dense(1, 2)
        self.size = keras.metrics.Mean(name="size")

    def call(self, x, training=False):
        hidden = self.hidden(x)
        if training:
            self.add_loss(0.1 * keras.ops.mean(hidden**2))
        self.size.update_state(keras.ops.abs(hidden))
        return self.last(hidden)


class OwnLoss(Subclassed):
    """Model that computes its loss from its inputs too."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y, y_pred, sample_weight) + keras.ops.mean(keras.ops.abs(y_pred - x[:, :1]))


def masked() -> keras.Model:
    words = keras.Input((6,), dtype="int32", name="words")
    table = layers.Embedding(5, 4, mask_zero=True, embeddings_initializer=keras.initializers.RandomNormal(seed=5))
    return keras.Model(words, dense(3, 2)(dense(4, 1)(table(words))))


@dataclasses.dataclass
class Row:
    """Net, arguments of its ``compile``, and data."""

    net: Callable[[], keras.Model]
    compiled: dict[str, Any]
    labels: dict[str, Any]
    x: Any = dataclasses.field(default_factory=lambda: X)
    weight: Any = None
    class_weight: dict[int, float] | None = None


BOTH = {"total": SUM, "sign": SIGN}
ROWS: dict[str, Row] = {
    "mse": Row(lambda: sequential(1), {"loss": "mse", "metrics": ["mae"]}, {"y": SUM}),
    "binary": Row(
        lambda: sequential(1, "sigmoid"),
        {"loss": "binary_crossentropy", "metrics": ["accuracy", "AUC"]},
        {"y": SIGN},
    ),
    "logits": Row(
        lambda: sequential(3),
        {"loss": losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]},
        {"y": CLASS},
    ),
    "class weights": Row(
        lambda: sequential(3, "softmax"),
        {"loss": "categorical_crossentropy", "metrics": ["acc"], "weighted_metrics": ["acc"]},
        {"y": ONE_HOT},
        class_weight={0: 2.0, 2: 0.5},
    ),
    "sum": Row(lambda: sequential(1), {"loss": losses.MeanSquaredError(reduction="sum")}, {"y": SUM}),
    "loss weight": Row(lambda: sequential(1), {"loss": ["mse"], "loss_weights": [0.3]}, {"y": SUM}),
    "function": Row(lambda: sequential(1), {"loss": lambda y, p: keras.ops.mean(abs(y - p), -1)}, {"y": SUM}),
    "sample weights": Row(
        lambda: sequential(1),
        {"loss": "mse", "metrics": ["mae"], "weighted_metrics": ["mae"]},
        {"y": SUM},
        weight=WEIGHT,
    ),
    "lists": Row(
        lambda: functional(list),
        {"loss": ["mse", "binary_crossentropy"], "loss_weights": [1.0, 0.3], "metrics": [["mae"], ["accuracy"]]},
        BOTH,
    ),
    "dicts of lists": Row(
        lambda: functional(list),
        {
            "loss": {"total": "mae", "sign": "mse"},
            "loss_weights": {"total": 2.0, "sign": 1.0},
            "metrics": {"sign": "acc"},
        },
        BOTH,
    ),
    "dicts": Row(
        lambda: functional(dict),
        {"loss": {"total": "huber", "sign": "mse"}, "weighted_metrics": {"total": ["mae"]}},
        BOTH,
    ),
    "one loss for two": Row(lambda: functional(dict), {"loss": "mse"}, BOTH, weight=WEIGHT),
    "masks": Row(
        masked,
        {"loss": losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]},
        {"y": (WORDS + 1) % 3},
        x=WORDS,
    ),
    "subclassed": Row(Subclassed, {"loss": "mse", "metrics": ["mae"]}, {"y": SUM}),
    "own loss": Row(OwnLoss, {"loss": "mse"}, {"y": SUM}),
    "regularizer": Row(lambda: sequential(1, kernel_regularizer="l2"), {"loss": "mse"}, {"y": SUM}),
}


def rate() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(0.05)


def of_fit(row: Row) -> dict[str, list[float]]:
    """Returns what ``fit`` reports."""
    keras.utils.clear_session()
    net = row.net()
    net.compile(rate(), **row.compiled)

    def part(chosen: slice) -> tuple[Any, ...]:
        labels = {name: each[chosen] for name, each in row.labels.items()}
        y = labels["y"] if "y" in labels else labels if isinstance(net.output, dict) else list(labels.values())
        return (row.x[chosen], y) if row.weight is None else (row.x[chosen], y, row.weight[chosen])

    batches = [tf.data.Dataset.from_tensor_slices(_as_tuples(part(each))).batch(8) for each in (TRAIN, VALIDATION)]
    given = {} if row.class_weight is None else {"class_weight": row.class_weight}
    return net.fit(batches[0], validation_data=batches[1], epochs=2, verbose=0, shuffle=False, **given).history


def _as_tuples(value: Any) -> Any:
    """A list is a tensor to ``tf.data``."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


def of_trainer(row: Row, directory: Path, make_model: Callable[[], Any], monkeypatch: Any) -> list[dict[str, Any]]:
    """Returns the lines of ``metrics.jsonl``."""
    weight = {} if row.weight is None else {"weight": row.weight}

    def part(chosen: slice) -> Arrays:
        return Arrays({"x": row.x[chosen]}, {name: each[chosen] for name, each in {**row.labels, **weight}.items()})

    data = InMemory(part(TRAIN), batch_size=8, shuffle=False)
    data.validation = part(VALIDATION)
    if weight:
        inspect = train.inspect_source
        structure = ElementStructure(sample_weight="weight")
        monkeypatch.setattr(
            train, "inspect_source", lambda *given: dataclasses.replace(inspect(*given), structure=structure)
        )
    run(
        directory,
        {"evaluate": Evaluate(), "checkpoint": Checkpoint(every_n_epochs=1), "metrics": Metrics()},
        data=data,
        epochs=2,
        make_model=make_model,
        make_optimizer=lambda *_: rate(),
    )
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("kind", ROWS)
def test_the_history_is_that_of_fit(kind, tmp_path, monkeypatch) -> None:
    row = ROWS[kind]

    def compiled() -> KerasModel:
        net = row.net()
        net.compile("adam", **row.compiled)
        return KerasModel(net, class_weight=row.class_weight)

    history = of_fit(row)
    lines = of_trainer(row, tmp_path / "run", compiled, monkeypatch)
    own = {"epoch", "global_step", "steps_per_sec", "learning_rate", *SECS_KEYS}
    assert set(history) == set(lines[0]) - own
    for name, values in history.items():
        assert [line[name] for line in lines] == pytest.approx(values, rel=2e-5, abs=1e-6), name


class OwnStep(Subclassed):
    """Model that trains in its own way."""

    def train_step(self, data):
        return super().train_step(data)


def two_inputs() -> keras.Model:
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    return keras.Model([first, second], layers.Add()([dense(1, 1)(first), dense(1, 2)(second)]))


OUTSIDE = keras.Sequential([keras.Input((4,)), layers.Dense(1)])

REFUSED: dict[str, tuple[Callable[[], KerasModel], str]] = {
    "a step of its own": (lambda: KerasModel(OwnStep, "mse"), "OwnStep overrides train_step.*compute_loss"),
    "a layer": (lambda: KerasModel(lambda: layers.Dense(1), "mse"), "net is Dense; .*Sequential"),
    "no model": (lambda: KerasModel(dict, "mse"), "net is dict; it must be a keras.Model"),
    "built outside": (lambda: KerasModel(OUTSIDE, "mse"), r"built outside of the graph \(.*kernel"),
    "a loss": (lambda: KerasModel(lambda: sequential(1), "mean_squared_eror"), "mean_squared_eror.*mean_squared_error"),
    "a metric": (lambda: KerasModel(lambda: sequential(1), "mse", metrics=["accuracie"]), "'accuracie'.*accuracy"),
    "no loss": (lambda: KerasModel(lambda: sequential(1)), "No loss to compute"),
    "a class weight": (lambda: KerasModel(lambda: sequential(1), "mse", class_weight={"a": 1}), "weight by number"),
    "an input": (lambda: KerasModel(two_inputs, "mse"), "has the input 'first', and the data has not"),
    "a label": (lambda: KerasModel(lambda: functional(dict), "mse"), "label 'y' has not the name of an output"),
    "names": (lambda: KerasModel(lambda: sequential(1), "mse", output_names=["a", "b"]), "returns 1 outputs.* 2 names"),
    "labels of another shape": (
        lambda: KerasModel(lambda: sequential(3), "categorical_crossentropy"),
        r"cannot compute its loss from .*y float32 \[batch, 1\]",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_refused_by_name(kind, tmp_path) -> None:
    make_model, message = REFUSED[kind]
    data = InMemory(Arrays({"x": X}, {"y": SUM}), batch_size=8)
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", data=data, make_model=make_model)
    assert not (tmp_path / "run").exists()


class Pair(keras.Model):
    """Subclassed model with two outputs without names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = dense(1, 1), dense(1, 2)

    def call(self, x):
        return [self.first(x), self.second(x)]


@pytest.mark.parametrize(
    ("net", "given", "names"),
    [
        (lambda: sequential(1), {}, ["dense_1"]),
        (lambda: functional(list), {}, ["sign", "total"]),
        (lambda: functional(dict), {}, ["sign", "total"]),
        (Pair, {}, ["output_0", "output_1"]),
        (Pair, {"output_names": ["total", "sign"]}, ["sign", "total"]),
        (Subclassed, {}, ["output"]),
    ],
)
def test_outputs_have_the_names_of_keras(net, given, names) -> None:
    keras.utils.clear_session()
    with tf.Graph().as_default():
        assert sorted(KerasModel(net, "mse", **given)({"x": tf.constant(X)}, training=False)) == names


def test_losses_of_the_config_replace_those_of_compile() -> None:
    def net() -> keras.Model:
        made = functional(dict)
        made.compile("adam", loss={"total": "mse", "sign": "mse"}, loss_weights={"total": 1.0, "sign": 5.0}, metrics={})
        return made

    with tf.Graph().as_default():
        model = KerasModel(net, loss={"total": "mae", "sign": "mae"}, metrics={"total": ["mse"]})
        assert model.compiled.loss == {"total": "mae", "sign": "mae"}
        assert model.compiled.loss_weights is None
        assert model.compiled.metrics == {"total": ["mse"]}
        assert not any("adam" in each.op.name or "loss" in each.op.name for each in tf.compat.v1.global_variables())


def test_a_resume_has_the_same_bits(tmp_path) -> None:
    def net() -> keras.Model:
        made = keras.Sequential([layers.Dense(5), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(1)])
        made.compile("adam", loss="mse", metrics=["mae"])
        return made

    parts = {"data": InMemory(Arrays({"x": X}, {"y": SUM}), batch_size=8), "make_model": lambda: KerasModel(net)}
    saver = {"checkpoint": Checkpoint(every_n_steps=7)}
    run(tmp_path / "straight", saver, epochs=4, **parts)
    run(tmp_path / "broken", {"checkpoint": Checkpoint(every_n_steps=7)}, epochs=2, **parts)
    run(tmp_path / "broken", {"checkpoint": Checkpoint(every_n_steps=7)}, epochs=4, **parts)
    assert_same_bits(tmp_path / "straight/checkpoints/model-20", tmp_path / "broken/checkpoints/model-20")
    assert "sequential/dense_1/kernel" in variables(tmp_path / "broken/checkpoints/model-20")
