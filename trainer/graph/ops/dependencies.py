"""Dependencies of tensors on ops and variables, and tensors computed anew in an inner graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError

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


READING_OPS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})
"""Ops that take the handle of a variable and leave its value as it is."""


def assigned_in(inner: Any, variables: Iterable[Any]) -> list[Any]:
    """Returns the variables of the outer graph that ops of an inner graph may change; a nested function counts.

    Args:
        inner: Graph of a function.
        variables: Resource variables of an outer graph.
    """
    captured = {outer.ref(): placeholder for outer, placeholder in inner.captures}
    handles = [(each, captured.get(each.handle.ref())) for each in variables if hasattr(each, "handle")]
    return [
        variable
        for variable, handle in handles
        if handle is not None and any(op.type not in READING_OPS for op in handle.consumers())
    ]


def check_nothing_is_stale(inner: Any, variables: Iterable[Any]) -> None:
    """Refuses an update that takes a tensor from outside which depends on a variable that the update changes.

    Such a tensor is computed once per call, not once per step, and no gradient flows through it.

    Args:
        inner: Graph of a function that makes one update.
        variables: Resource variables of the outer graph.

    Raises:
        RequestError: There is such a tensor.
    """
    changed = {each.handle.ref(): each.op.name for each in assigned_in(inner, variables)}
    for outer, _ in inner.captures:
        if outer.dtype in (tf.resource, tf.variant):
            continue
        read = {tensor.ref() for op in ancestors([outer]) for tensor in op.inputs} & changed.keys()
        if read:
            raise RequestError(
                f"the update uses the tensor {outer.name!r}, which was made outside of it from the variable "
                f"{changed[min(read, key=changed.__getitem__)]!r}: its value would be that of before the call into the "
                "graph, and no gradient flows through it; compute it in __call__ or loss, or (a learning rate) in a "
                "function that the optimizer calls"
            )


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
