"""Dependencies of tensors on ops and variables, and tensors computed anew in an inner graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1


def ancestors(tensors: Iterable[Any]) -> set[Any]:
    """Returns the ops that tensors are computed from, their own ops included, in the graph of the tensors.

    Example:
        >>> with tf.Graph().as_default():
        ...     total = tf.add(tf.constant(1.0, name="a"), 2.0, name="total")
        >>> sorted(op.name for op in ancestors([total]))
        ['a', 'total', 'total/y']
    """
    found: set[Any] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return found


def recomputed(tensors: Sequence[Any]) -> list[Any]:
    """Returns tensors of the graph around, computed anew in the default inner graph from the same variables.

    A tensor that a function merely takes from outside is computed once per call and has no gradient there.

    Args:
        tensors: Tensors of one outer graph; they depend on constants and resource variables alone.
    """
    if not tensors:
        return []
    inner, outer = v1.get_default_graph(), tensors[0].graph
    ops = ancestors(tensors)
    handles = [op.outputs[0] for op in ops if op.type == "VarHandleOp"]
    graph_def = v1.GraphDef(node=[op.node_def for op in ops if op.type != "VarHandleOp"])
    if any(value.HasField("func") for node in graph_def.node for value in node.attr.values()):
        graph_def.library.CopyFrom(outer.as_graph_def().library)
    inputs = {handle.name: inner.capture(handle) for handle in handles}
    names = [tensor.name for tensor in tensors]
    return list(tf.import_graph_def(graph_def, inputs, names, name="recomputed"))
