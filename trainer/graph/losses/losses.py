"""Loss of a batch, as a model returns it: a scalar, a sum and its weight, or several of these by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.losses.metric_form import weight_of
from trainer.state import SECS_KEYS

LOSS = "loss"
RESERVED = frozenset({LOSS, "epoch", "global_step", "step_in_epoch", "steps_per_sec", *SECS_KEYS})
"""Names in a line of metrics.jsonl that the trainer itself writes."""

VALIDATION = "val_"
"""Prefix of the names of what an evaluation reports."""

ONE = (
    "a float scalar, the mean over the batch (tf.reduce_mean), or a pair of scalars (sum, weight), such as the sum "
    "over the tokens that are not padding and their number"
)


@dataclass(frozen=True)
class Loss:
    """Loss of a batch.

    Args:
        value: Loss, a float scalar.
        weight: Weight of the batch in a mean of losses, a scalar of the same dtype; None where all are equal.
        parts: Losses by name where the model returned several; the value is their sum.
        given: Ops that its outputs and labels come from; None for all that were there before it.

    Example:
        >>> Loss(3.0, parts={"near": Loss(1.0), "far": Loss(2.0)}).parts["far"].value
        2.0
    """

    value: Any
    weight: Any = None
    parts: Mapping[str, Loss] = field(default_factory=dict)
    given: Collection[Any] | None = None


def as_tensors(returned: Any) -> dict[str, list[Any]] | list[Any]:
    """Returns what a model's ``loss`` returned as tensors: value and perhaps weight, by name where it has names."""
    if isinstance(returned, Mapping):
        return {name: _value_and_weight(each) for name, each in returned.items()}
    return _value_and_weight(returned)


def _value_and_weight(returned: Any) -> list[Any]:
    is_pair = isinstance(returned, tuple | list) and len(returned) == 2
    return [tf.convert_to_tensor(each) for each in (returned if is_pair else [returned])]


def loss_of(source: str, tensors: dict[str, list[Any]] | list[Any], given: set[Any], data: set[Any]) -> Loss:
    """Returns the loss that tensors are.

    Args:
        source: Name of the model's method, for messages.
        tensors: Value and perhaps weight, by name if there are several losses.
        given: Ops that the outputs and labels come from.
        data: Ops of the outputs and labels.

    Raises:
        RequestError: A loss is not a float scalar or two scalars, or a name is reserved by the trainer.
    """
    if not isinstance(tensors, Mapping):
        return _one(source, "", tensors, given, data)
    if not tensors:
        raise RequestError(f"{source} returned no loss ({{}}); it must return {ONE}, or a dict of these by name")
    for name in tensors:
        check_metric_name(source, name)
    parts = {name: _one(source, name, each, given, data) for name, each in tensors.items()}
    dtype = max((each.value.dtype for each in parts.values()), key=lambda dtype: dtype.size)
    return Loss(tf.add_n([tf.cast(each.value, dtype) for each in parts.values()]), parts=parts)


def check_metric_name(source: str, name: Any) -> None:
    """Refuses a name of a loss or a metric that is no text, or that the trainer uses itself.

    Example:
        >>> check_metric_name("Net.metrics", "val_accuracy")
        Traceback (most recent call last):
        trainer.errors.RequestError: Net.metrics returned 'val_accuracy', a name reserved by the trainer; rename it
    """
    if not isinstance(name, str) or not name:
        raise RequestError(f"{source} returned {name!r} as a name; it must be a text")
    if name in RESERVED or name.startswith(VALIDATION):
        raise RequestError(f"{source} returned {name!r}, a name reserved by the trainer; rename it")


def _one(source: str, name: str, tensors: list[Any], given: set[Any], data: set[Any]) -> Loss:
    loss, *weights = tensors
    if any(each.shape.rank != 0 for each in tensors) or not loss.dtype.is_floating:
        got = " and ".join(f"{each.dtype.name} {each.shape}" for each in tensors)
        of_name = f" for {name!r}" if name else ""
        also = "" if name else "; several losses are a dict of these by name"
        raise RequestError(f"{source} returned {got}{of_name}; it must return {ONE}{also}")
    if not weights:
        weight = weight_of(loss, given, data)
        return Loss(loss, None if weight is None else tf.cast(weight, loss.dtype))
    weight = tf.cast(weights[0], loss.dtype)
    return Loss(tf.math.divide_no_nan(loss, weight), weight)
