"""Signatures: inputs and outputs by name, in TensorFlow's own format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer.model import Tensors

v1 = tf.compat.v1

SERVING = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
"""Key ``serving_default``: inputs to outputs."""

EVAL = "eval"
"""Key ``eval`` (as in ``tf.estimator``): inputs and labels to the loss."""

EVAL_METHOD_NAME = "tensorflow/supervised/eval"


def predict_signature(inputs: Tensors, outputs: Tensors) -> Any:
    """Returns the SignatureDef of a prediction.

    Args:
        inputs: Tensors by name.
        outputs: Tensors by name.
    """
    return _signature(inputs, outputs, v1.saved_model.signature_constants.PREDICT_METHOD_NAME)


def signatures_of(inputs: Tensors, labels: Tensors, outputs: Tensors, loss: Any) -> dict[str, Any]:
    """Returns the SignatureDefs of a run's inference part by key, for its MetaGraphDef.

    They tell importers of the ``.meta`` what to feed and what to fetch.

    Args:
        inputs: Placeholders by name.
        labels: Placeholders by name.
        outputs: Tensors by name.
        loss: Scalar tensor.

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
        EVAL: _signature({**inputs, **labels}, {"loss": loss}, EVAL_METHOD_NAME),
    }


def signature_outputs(meta_graph: Any) -> dict[str, str]:
    """Returns the outputs in the serving signature of a MetaGraphDef, name to tensor name; {} without one."""
    if SERVING not in meta_graph.signature_def:
        return {}
    return {name: info.name for name, info in meta_graph.signature_def[SERVING].outputs.items()}


def _signature(inputs: Tensors, outputs: Tensors, method: str) -> Any:
    def infos(tensors: Mapping[str, Any]) -> dict[str, Any]:
        return {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in tensors.items()}

    return v1.saved_model.build_signature_def(infos(inputs), infos(outputs), method)
