"""Forms of metrics, each traced on its own; the values are compared where a quotient is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.graph.losses.metric_form import QUOTIENTS as DIVISIONS
from trainer.graph.losses.metric_form import curved_at, quotient, weight_of

SPEC = tf.TensorSpec([None, 3], tf.float32)

QUOTIENTS: dict[str, Callable[[Any, Any], Any]] = {
    "recall": lambda y, p: tf.reduce_sum(y * p) / tf.reduce_sum(y),
    "recall, 0 for 0/0": lambda y, p: tf.math.divide_no_nan(tf.reduce_sum(y * p), tf.reduce_sum(y)),
    "recall, with epsilon": lambda y, p: tf.reduce_sum(y * p) / (tf.reduce_sum(y) + keras.backend.epsilon()),
    "F1": lambda y, p: 2 * tf.reduce_sum(y * p) / (tf.reduce_sum(y) + tf.reduce_sum(p)),
    "counts": lambda y, p: tf.math.count_nonzero((y > 0.5) & (p > 0.5)) / tf.math.count_nonzero(y > 0.5),
    "masked mean": lambda y, p: tf.reduce_sum(tf.square(y - p)[:, 0] * y[:, 1]) / tf.reduce_sum(y[:, 1]),
    "mean of classes, masked": lambda y, p: (
        tf.reduce_sum(tf.reduce_mean(y * p, axis=-1) * y[:, 0]) / tf.reduce_sum(y[:, 0])
    ),
    "accuracy of some": lambda y, p: (
        tf.reduce_sum(tf.cast(tf.equal(tf.argmax(y, 1), tf.argmax(p, axis=-1)), tf.float32) * y[:, 0])
        / tf.reduce_sum(y[:, 0])
    ),
    "keras.ops": lambda y, p: keras.ops.sum(y * p) / keras.ops.sum(y),
}

MEANS: dict[str, Callable[[Any, Any], Any]] = {
    "mean": lambda y, p: tf.reduce_mean(tf.abs(y - p)),
    "sum over the size": lambda y, p: tf.reduce_sum(y * p) / tf.cast(tf.shape(y)[0], tf.float32),
    "Keras loss": lambda y, p: keras.losses.MeanSquaredError()(y, p),
    "logarithms of examples": lambda y, p: tf.reduce_mean(tf.math.log(p + 0.1)),
    "share": lambda y, p: 100 * tf.reduce_mean(tf.cast(p > 0.5, tf.float32)),
}

OTHERS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "RMSE": ("Sqrt", lambda y, p: tf.sqrt(tf.reduce_mean(tf.square(y - p)))),
    "perplexity": ("Exp", lambda y, p: tf.exp(tf.reduce_mean(p))),
    "R2": ("RealDiv", lambda y, p: 1 - tf.reduce_sum((y - p) ** 2) / tf.reduce_sum((y - tf.reduce_mean(y)) ** 2)),
    "smoothed": ("RealDiv", lambda y, p: (tf.reduce_sum(y * p) + 1) / (tf.reduce_sum(y) + 1)),
    "macro recall": ("RealDiv", lambda y, p: tf.reduce_mean(tf.reduce_sum(y * p, 0) / tf.reduce_sum(y, 0))),
    "product": ("Mul", lambda y, p: tf.reduce_mean(y) * tf.reduce_mean(p)),
    "largest": ("Max", lambda y, p: tf.reduce_max(tf.abs(y - p))),
}


def traced(metric: Callable[[Any, Any], Any], read: Callable[[Any, Any], Any]) -> Any:
    """Returns what is read from a metric and the ops before it, in a function of labels and outputs."""
    found = []

    def function(y: Any, p: Any) -> Any:
        given = set(y.graph.get_operations())
        found.append(read(metric(y, p), given))
        return 0

    tf.function(function, autograph=False).get_concrete_function(SPEC, SPEC)
    return found[0]


@pytest.mark.parametrize("name", QUOTIENTS)
def test_a_quotient_of_sums_is_added_up_over_batches(name) -> None:
    def both(y: Any, p: Any) -> Any:
        given = set(y.graph.get_operations())
        parts = quotient(QUOTIENTS[name](y, p), given)
        assert parts is not None
        return tf.stack([tf.cast(each, tf.float32) for each in (parts.numerator, parts.denominator)])

    parts_of = tf.function(both, input_signature=[SPEC, SPEC], autograph=False)
    y = np.random.default_rng(0).integers(0, 2, (20, 3)).astype(np.float32)
    p = np.random.default_rng(1).integers(0, 2, (20, 3)).astype(np.float32)
    numerator, denominator = sum(parts_of(y[cut], p[cut]).numpy() for cut in (slice(0, 3), slice(3, 20)))
    assert numerator / denominator == pytest.approx(float(QUOTIENTS[name](y, p)), rel=1e-6)


@pytest.mark.parametrize("name", MEANS)
def test_a_mean_stays_a_mean(name) -> None:
    assert traced(MEANS[name], quotient) is None
    assert traced(MEANS[name], curved_at) == ""


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_neither_is_said(name) -> None:
    op_type, metric = OTHERS[name]
    assert traced(metric, quotient) is None
    assert traced(metric, curved_at) == op_type


def masked(y: Any, p: Any) -> Any:
    return tf.reduce_sum(y * tf.square(y - p)) / tf.reduce_sum(y)


LOSSES: dict[str, tuple[bool, str, Callable[[Any, Any, Any], Any]]] = {
    "masked": (True, "", lambda y, p, w: masked(y, p)),
    "masked, with a term of the weights": (True, "", lambda y, p, w: 0.5 * masked(y, p) + 0.1 * tf.nn.l2_loss(w)),
    "mean": (False, "", lambda y, p, w: tf.reduce_mean(tf.square(y - p)) + tf.reduce_sum(w)),
    "two masks": (False, "RealDiv", lambda y, p, w: masked(y, p) + masked(p, y)),
    "masked and a mean": (False, "RealDiv", lambda y, p, w: masked(y, p) + tf.reduce_mean(p)),
    "root": (False, "", lambda y, p, w: tf.sqrt(tf.reduce_mean(tf.square(y - p)))),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_weight_of_a_loss(name) -> None:
    has_weight, said, loss = LOSSES[name]

    def function(y: Any, p: Any, w: Any) -> Any:
        given, value = set(y.graph.get_operations()), loss(y, p, w)
        weight = weight_of(value, given, {y.op, p.op})
        assert (weight is not None) is has_weight
        assert has_weight or curved_at(value, given, DIVISIONS) == said
        return [value] if weight is None else [value, weight]

    y = np.random.default_rng(0).integers(0, 2, (20, 3)).astype(np.float32)
    p, w = np.random.default_rng(1).random((20, 3)).astype(np.float32), np.float32([1, 2, 3])
    parts = tf.function(function, input_signature=[SPEC, SPEC, tf.TensorSpec([3])], autograph=False)
    batches = [parts(y[cut], p[cut], w) for cut in (slice(0, 3), slice(3, 20))]
    if has_weight:
        mean = sum(float(value * weight) for value, weight in batches) / sum(float(weight) for _, weight in batches)
        assert mean == pytest.approx(float(loss(y, p, w)), rel=1e-6)
