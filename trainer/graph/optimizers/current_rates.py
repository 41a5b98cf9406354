"""Learning rates of a step, read from the optimizers, for the metrics of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from trainer.graph.losses.metric_columns import MetricColumns

RATE = "learning_rate"
"""Name of the metric; with several optimizers, its prefix."""

OF_GRAPH_MODE = ("_learning_rate", "_lr")
"""Attributes in which the optimizers of ``tf.compat.v1.train`` keep the rate."""


def current_rate(optimizer: Any) -> Any:
    """Returns the learning rate of the next update, float32 scalar; None for an optimizer without one.

    Args:
        optimizer: Optimizer of Keras 3 or of ``tf.compat.v1.train``; call it inside the ``tf.function`` of an update.
    """
    rate = _stored(optimizer)
    value = rate() if callable(rate) else rate
    try:
        value = None if value is None else tf.convert_to_tensor(value)
    except (TypeError, ValueError):  # an attribute of a user's class that has the name by chance
        return None
    return None if value is None or value.shape.rank != 0 else tf.cast(value, tf.float32)


def _stored(optimizer: Any) -> Any:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return getattr(optimizer, "learning_rate", None)
    if isinstance(wrapped := getattr(optimizer, "_optimizer", None), tf.compat.v1.train.Optimizer):
        return _stored(wrapped)
    return next((vars(optimizer)[name] for name in OF_GRAPH_MODE if name in vars(optimizer)), None)


def with_rates(columns: MetricColumns, row: Any, rates: Mapping[str, Any]) -> tuple[MetricColumns, Any]:
    """Returns the columns of a step and their values with the learning rates, unless the model reports such a metric.

    Args:
        columns: Columns of the model's metrics.
        row: Values of the columns, float32 [columns].
        rates: Learning rates by name, float32 scalars.
    """
    added = {name: rate for name, rate in rates.items() if name not in columns.names}
    if not added:
        return columns, row
    count, values = len(columns.names), tf.stack(list(added.values()))
    parts = [row[:count], values, row[count:]] if columns.pairs else [row, values]
    # The last value of an epoch is the rate of its last update.
    names, running = (*columns.names, *added), (*columns.running, *added)
    return replace(columns, names=names, running=running, rates=tuple(added)), tf.concat(parts, axis=0)
