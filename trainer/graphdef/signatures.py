"""Signatures: the names of inputs and outputs as TensorFlow itself writes them down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer.model import Tensors

v1 = tf.compat.v1

SERVING = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
"""``serving_default``: from inputs to outputs."""

EVAL = "eval"
"""From inputs and labels to the loss; the key that ``tf.estimator`` gave to it."""

EVAL_METHOD_NAME = "tensorflow/supervised/eval"


def predict_signature(inputs: Tensors, outputs: Tensors) -> Any:
    """Returns the SignatureDef of a prediction: tensors by name."""
    return _signature(inputs, outputs, v1.saved_model.signature_constants.PREDICT_METHOD_NAME)


def signatures_of(inputs: Tensors, labels: Tensors, outputs: Tensors, loss: Any) -> dict[str, Any]:
    """Returns what the MetaGraphDef of a run says of its inference part, SignatureDefs by key.

    With them anybody who imports the ``.meta`` knows what to feed and what to fetch.

    Args:
        inputs: placeholders by name.
        labels: placeholders by name.
        outputs: tensors by name.
        loss: scalar.

    Example:
        >>> with tf.Graph().as_default():
        ...     x, y = v1.placeholder(tf.float32, [None], "x"), v1.placeholder(tf.float32, [None], "y")
        ...     op = tf.identity(2 * x, name="op")
        ...     found = signatures_of({"x": x}, {"y": y}, {"op": op}, tf.reduce_mean(op - y, name="loss"))
        >>> found["serving_default"].outputs["op"].name, sorted(found["eval"].inputs)
        ('op:0', ['x', 'y'])
    """
    return {
        SERVING: predict_signature(inputs, outputs),
        EVAL: _signature({**inputs, **labels}, {loss.op.name: loss}, EVAL_METHOD_NAME),
    }


def signature_outputs(meta_graph: Any) -> dict[str, str]:
    """Returns what a MetaGraphDef itself says it computes, tensors by name; {} where it has no serving signature."""
    if SERVING not in meta_graph.signature_def:
        return {}
    return {name: info.name for name, info in meta_graph.signature_def[SERVING].outputs.items()}


def _signature(inputs: Tensors, outputs: Tensors, method: str) -> Any:
    def infos(tensors: Mapping[str, Any]) -> dict[str, Any]:
        return {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in tensors.items()}

    return v1.saved_model.build_signature_def(infos(inputs), infos(outputs), method)
