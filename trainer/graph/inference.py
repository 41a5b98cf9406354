"""Inference part of the graph: from placeholders to named outputs and a loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError, describe, place_in
from trainer.graph.equality import compared_by_value
from trainer.graph.metric_form import QUOTIENTS, curved_at, weight_of
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
        curved: Type of the op after which the loss is no mean over examples; empty if there is none.
    """

    inputs: Tensors
    labels: Tensors
    outputs: Tensors
    loss: Any
    state: tuple[str, ...] = ()
    curved: str = ""


def build_inference(
    model: Model, inputs: Mapping[str, Any], labels: Mapping[str, Any], side_losses: SideLosses | None = None
) -> Inference:
    """Builds the inference part in the default graph, and with it the model's variables.

    Args:
        model: Model, called once.
        inputs: Specs of the inputs, ``tf.TensorSpec`` [None, ...] by name.
        labels: Specs of the labels, ``tf.TensorSpec`` [None, ...] by name.
        side_losses: Losses that the model adds beside its own; None for those made from now on.

    Raises:
        RequestError: The model does not accept this data, or a name is already used in the graph.
    """
    fed = {name: placeholder(name, spec) for name, spec in inputs.items()}
    compared = {name: placeholder(name, spec) for name, spec in labels.items()}
    no_seed = tf.zeros([2], tf.int32, name="inference_seed")
    with (side_losses or SideLosses(model)).collected() as found:
        called = call(model, fed, training=False, seed=no_seed)
        outputs = {name: named(name, tensor) for name, tensor in called.items()}
        given = set(v1.get_default_graph().get_operations())
        own_loss, weight = loss_and_weight(model, outputs, compared)
        curved = curved_at(own_loss, given, QUOTIENTS) if weight is None else ""
    loss = named(LOSS, with_side_losses(own_loss, found)[0])
    return Inference(fed, compared, outputs, loss, curved=curved)


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


def loss_and_weight(model: Model, outputs: Tensors, labels: Tensors) -> tuple[Any, Any]:
    """Returns the model's loss, and the weight of this batch in a mean of losses.

    Returns:
        Loss of the batch, a float scalar: the sum over the weight where the model returned these two, 0
        where the weight is 0. The weight, a scalar of the same dtype; None where the model returned a mean.
        A scalar that is a quotient of sums over the batch, such as a masked mean, has its denominator as weight.

    Raises:
        RequestError: The model raised, or its loss is not a float scalar or two scalars.
    """
    if not callable(getattr(model, "loss", None)):
        raise RequestError(
            f"{type(model).__name__} has no method loss(outputs, labels); to use a Keras model, keep it in an "
            "attribute of a class with this method, because the model's own loss is something else"
        )
    given = set(v1.get_default_graph().get_operations())
    with refusing(model, "cannot compute its loss from", {**outputs, **labels}):
        returned = model.loss(outputs, labels)
        is_pair = isinstance(returned, tuple | list) and len(returned) == 2
        loss, *weights = [tf.convert_to_tensor(each) for each in (returned if is_pair else [returned])]
    if any(each.shape.rank != 0 for each in (loss, *weights)) or not loss.dtype.is_floating:
        got = " and ".join(f"{each.dtype.name} {each.shape}" for each in (loss, *weights))
        raise RequestError(
            f"{type(model).__name__}.loss returned {got}; it must return a float scalar, "
            "the mean over the batch (tf.reduce_mean), or a pair of scalars (sum, weight), such as the sum over the "
            "tokens that are not padding and their number"
        )
    if not weights:
        weight = weight_of(loss, given, {each.op for each in (*outputs.values(), *labels.values())})
        return loss, None if weight is None else tf.cast(weight, loss.dtype)
    weight = tf.cast(weights[0], loss.dtype)
    return tf.math.divide_no_nan(loss, weight), weight


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
