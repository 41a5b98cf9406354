"""Inference part of the graph: from placeholders to named outputs and a loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError, describe, place_in
from trainer.graph.equality import compared_by_value
from trainer.graph.side_losses import SideLosses, with_side_losses
from trainer.model import Model, Tensors

v1 = tf.compat.v1

LOSS = "loss"
RESERVED = frozenset({LOSS, "epoch", "global_step", "steps_per_sec"})
"""Names in a line of metrics.jsonl that the trainer itself writes."""


@dataclass(frozen=True)
class Inference:
    """Inference ops under the model's own names, built with ``training=False``.

    Args:
        inputs: Placeholders of the inputs [batch, ...] by name.
        labels: Placeholders of the labels [batch, ...] by name.
        outputs: Outputs of the model, tensors by name.
        loss: Mean loss over the batch, float scalar.
        state: Names of the variables that a call changes; outputs and loss are those of their initial values.
    """

    inputs: Tensors
    labels: Tensors
    outputs: Tensors
    loss: Any
    state: tuple[str, ...] = ()


def build_inference(
    model: Model, inputs: Mapping[str, Any], labels: Mapping[str, Any], side_losses: SideLosses | None = None
) -> Inference:
    """Builds the inference part in the default graph, and with it the model's variables.

    Args:
        model: Model, called once.
        side_losses: Losses that the model adds beside its own; None for those made from now on.
        inputs: Specs of the inputs, ``tf.TensorSpec`` [None, ...] by name.
        labels: Specs of the labels, ``tf.TensorSpec`` [None, ...] by name.

    Raises:
        RequestError: The model does not accept this data, or a name is already used in the graph.
    """
    fed = {name: placeholder(name, spec) for name, spec in inputs.items()}
    compared = {name: placeholder(name, spec) for name, spec in labels.items()}
    no_seed = tf.zeros([2], tf.int32, name="inference_seed")
    with (side_losses or SideLosses(model)).collected() as found:
        called = call(model, fed, training=False, seed=no_seed)
        outputs = {name: named(name, tensor) for name, tensor in called.items()}
        loss = scalar_loss(model, outputs, compared)
    return Inference(fed, compared, outputs, named(LOSS, with_side_losses(loss, found)[0]))


def placeholder(name: str, spec: Any) -> Any:
    """Returns a placeholder of exactly this name."""
    try:
        tensor = v1.placeholder(spec.dtype, spec.shape, name=name)
    except ValueError as error:
        raise RequestError(f"data {name!r} is not a valid name of a tensor: {describe(error)}") from error
    return check_name(name, tensor)


def named(name: str, tensor: Any) -> Any:
    """Returns the tensor as an op of exactly this name."""
    try:
        renamed = tf.identity(tensor, name=name)
    except ValueError as error:
        raise RequestError(f"the model's output {name!r} is not a valid name of a tensor: {describe(error)}") from error
    return check_name(name, renamed)


def check_name(name: str, tensor: Any) -> Any:
    """Returns the tensor if its op has the name.

    Raises:
        RequestError: The graph already had an op of that name, so TensorFlow chose another one.
    """
    if tensor.op.name != name:
        raise RequestError(
            f"the graph already has an op {name!r} (an op of the model, or a name of both an input and an output); "
            "rename one of them"
        )
    return tensor


def call(model: Model, inputs: Tensors, *, training: bool, seed: Any) -> dict[str, Any]:
    """Calls the model, with a seed if it takes one, and checks its outputs.

    Args:
        model: Model to call.
        inputs: Inputs of the model, tensors [batch, ...] by name.
        training: Whether the call is part of an update.
        seed: Seed of the model's random ops, int32 [2].

    Raises:
        RequestError: The model raised, or did not return a dict of tensors.
    """
    extra = {"seed": seed} if "seed" in inspect.signature(model.__call__).parameters else {}
    with refusing(model, "cannot be called with", inputs):
        outputs = model(inputs, training=training, **extra)
    if not isinstance(outputs, Mapping) or not outputs:
        raise RequestError(
            f"{type(model).__name__}.__call__ returned {type(outputs).__name__}; "
            'it must return a dict of outputs by name, such as {"op": tensor}'
        )
    with refusing(model, "returned something other than tensors for", inputs):
        return {name: tf.convert_to_tensor(tensor) for name, tensor in outputs.items()}


def scalar_loss(model: Model, outputs: Tensors, labels: Tensors) -> Any:
    """Returns the model's loss as a scalar tensor.

    Raises:
        RequestError: The model raised, or its loss is not a float scalar.
    """
    if not callable(getattr(model, "loss", None)):
        raise RequestError(
            f"{type(model).__name__} has no method loss(outputs, labels); to use a Keras model, keep it in an "
            "attribute of a class with this method, because the model's own loss is something else"
        )
    with refusing(model, "cannot compute its loss from", {**outputs, **labels}):
        loss = tf.convert_to_tensor(model.loss(outputs, labels))
    if loss.shape.rank != 0 or not loss.dtype.is_floating:
        raise RequestError(
            f"{type(model).__name__}.loss returned {loss.dtype.name} {loss.shape}; it must return a float scalar, "
            "the mean over the batch (tf.reduce_mean)"
        )
    return loss


def scalar_metrics(model: Any, outputs: Tensors, labels: Tensors) -> dict[str, Any]:
    """Returns the model's metrics by name, float32 scalars; empty if the model has none.

    Raises:
        RequestError: The model raised, a metric is not a scalar, or its name is reserved.
    """
    if not callable(getattr(model, "metrics", None)):
        return {}
    with refusing(model, "cannot compute its metrics from", {**outputs, **labels}):
        metrics = {name: tf.cast(value, tf.float32) for name, value in model.metrics(outputs, labels).items()}
    for name, value in metrics.items():
        if name in RESERVED or name.startswith("val_"):
            raise RequestError(
                f"{type(model).__name__}.metrics returned {name!r}, a name reserved by the trainer; rename it"
            )
        if value.shape.rank != 0:
            raise RequestError(
                f"{type(model).__name__}.metrics returned {name!r} of shape {value.shape}; "
                "a metric is a scalar, the mean over the batch"
            )
    return metrics


class refusing:  # noqa: N801 - a context manager, read as a verb
    """Re-raises a model's exception as RequestError with the tensors it was given and the source line.

    Inside the block, tensors and variables are compared by value.
    """

    def __init__(self, model: Any, cannot: str, tensors: Tensors) -> None:
        self._what = f"{type(model).__name__} {cannot} {described(tensors)}"
        self._equality = compared_by_value()

    def __enter__(self) -> None:
        self._equality.__enter__()

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        self._equality.__exit__(None, None, None)
        if not isinstance(error, Exception) or isinstance(error, RequestError):
            return
        reason = describe(error).split("\n")[0]
        raise RequestError(f"{self._what}: {reason}{place_in(error)}") from error


def described(tensors: Tensors) -> str:
    """Returns names, dtypes and shapes of tensors in one line.

    Example:
        >>> described({"x": tf.TensorSpec([None, 3], tf.float32)})
        'x float32 [batch, 3]'
    """
    return ", ".join(
        f"{name} {tensor.dtype.name} [{', '.join('batch' if size is None else str(size) for size in tensor.shape)}]"
        for name, tensor in tensors.items()
    )
