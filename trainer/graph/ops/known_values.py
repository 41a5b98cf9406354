"""Values that are known while a graph is built, because they depend on constants alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer.graphdef.op_types import PLACEHOLDERS

v1 = tf.compat.v1

MAX_OPS = 30
"""Max number of ops of a condition; a longer computation is left to the graph."""


def known_value(tensor: Any, sources: Mapping[Any, Any] | None = None) -> Any:
    """Returns the value of a tensor that depends on constants alone, None for any other.

    Args:
        tensor: Tensor of a graph.
        sources: Tensors of a graph around, by the ops that stand for them.

    Example:
        >>> with tf.Graph().as_default():
        ...     keep = v1.placeholder(tf.float32, name="keep")
        ...     rate = 1.0 - keep
        ...     known_value(rate), float(known_value(rate, {keep.op: tf.constant(1.0)}))
        (None, 0.0)
    """
    if (value := tf.get_static_value(tensor)) is not None:
        return value
    given: dict[str, Any] = {}
    nodes: dict[str, Any] = {}
    waiting = [tensor.op]
    while waiting:
        op = waiting.pop()
        if op.name in nodes or f"{op.name}:0" in given:
            continue
        if sources and op in sources:
            if (value := known_value(sources[op])) is None:
                return None
            given[f"{op.name}:0"] = value
            continue
        if op._is_stateful or op.type in PLACEHOLDERS or op.control_inputs or len(nodes) == MAX_OPS:
            return None
        nodes[op.name] = op.node_def
        waiting += [each.op for each in op.inputs]
    graph_def = v1.GraphDef(node=nodes.values())
    if any(value.HasField("func") for node in graph_def.node for value in node.attr.values()):
        return None
    return _computed(graph_def, given, tensor.name)


def _computed(graph_def: Any, given: Mapping[str, Any], name: str) -> Any:
    if name in given:
        return given[name]
    with tf.Graph().as_default(), v1.Session() as session:
        constants = {key: tf.constant(value) for key, value in given.items()}
        return session.run(tf.import_graph_def(graph_def, constants, [name], name="known")[0])
