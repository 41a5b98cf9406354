"""Inference part of the graph: from placeholders to named outputs and a loss."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from trainer.graph.forward.model_calls import ModelCalls
from trainer.graph.losses.losses import LOSS
from trainer.graph.losses.metric_form import QUOTIENTS, curved_at
from trainer.graph.losses.side_losses import SideLosses, with_side_losses
from trainer.graph.ops.exact_names import existing_op, named, placeholder
from trainer.model import Tensors

v1 = tf.compat.v1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inference:
    """Inference ops under the model's own names, built with ``training=False``.

    Args:
        inputs: Placeholders of the inputs [batch, ...] by name.
        labels: Placeholders of the labels [batch, ...] by name.
        outputs: Outputs of the model, tensors by name.
        loss: Mean loss over the batch, float scalar.
        state: Names of the variables that a call changes; outputs and loss are those of their initial values.
        curved: Type of the op after which a loss is no mean over examples, by name of the loss.
    """

    inputs: Tensors
    labels: Tensors
    outputs: Tensors
    loss: Any
    state: tuple[str, ...] = ()
    curved: Mapping[str, str] = field(default_factory=dict)


def build_inference(
    calls: ModelCalls, inputs: Mapping[str, Any], labels: Mapping[str, Any], side_losses: SideLosses | None = None
) -> Inference:
    """Builds the inference part in the default graph, and with it the model's variables.

    Args:
        calls: Calls of the model; its outputs are called once.
        inputs: Specs of the inputs, ``tf.TensorSpec`` [None, ...] by name.
        labels: Specs of the labels, ``tf.TensorSpec`` [None, ...] by name.
        side_losses: Losses that the model adds beside its own; None for those made from now on.

    Raises:
        RequestError: The model does not accept this data, or a name is already used in the graph.
    """
    fed = {name: placeholder(name, spec) for name, spec in inputs.items()}
    # A Keras model's labels have the names of its outputs.
    in_graph = getattr(calls.model, "name_of_label", str)
    compared = {name: placeholder(in_graph(name), spec) for name, spec in labels.items()}
    no_seed = tf.zeros([2], tf.int32, name="inference_seed")
    with (side_losses or SideLosses(calls.model)).collected() as found:
        called = calls.outputs(fed, training=False, seed=no_seed)
        outputs = {name: named(name, tensor) for name, tensor in called.items()}
        given = set(v1.get_default_graph().get_operations())
        own = calls.loss(outputs, compared, fed)
        unweighted = {name: each for name, each in (own.parts or {LOSS: own}).items() if each.weight is None}
        types = {name: curved_at(each.value, own.given or given, QUOTIENTS) for name, each in unweighted.items()}
    loss = _loss_op(with_side_losses(own.value, found)[0])
    return Inference(fed, compared, outputs, loss, curved={name: each for name, each in types.items() if each})


def _loss_op(loss: Any) -> Any:
    """Returns the loss under the name ``loss``; under another one where a part of it bears that name in the model."""
    taken = existing_op(v1.get_default_graph(), LOSS)
    if taken is None or loss.name == f"{LOSS}:0":
        return named(LOSS, loss)
    whole = tf.identity(loss, name=f"total_{LOSS}")
    log.info("the model has an op %r of its own; the whole loss is %s in the graph", LOSS, whole.name)
    return whole
