"""Ops of an open graph that change variables and look-up tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from trainer.graphdef.op_types import PLACEHOLDERS, SOURCE_OP, TABLE_OP, VARIABLE_OPS

v1 = tf.compat.v1

READERS = frozenset(
    {
        "DisableCopyOnRead",
        "Identity",
        "IsVariableInitialized",
        "LookupTableExportV2",
        "LookupTableFindV2",
        "LookupTableSizeV2",
        "ReadVariableOp",
        "RefIdentity",
        "ResourceGather",
        "ResourceGatherNd",
        "VarIsInitializedOp",
        "VariableShape",
    }
)
"""Ops that take a variable or table and leave it as it is; any other op counts as one that changes it."""

LOOP_FRAMES = frozenset({"Enter", "Exit", "LoopCond", "Merge", "NextIteration", "RefEnter", "RefSwitch", "Switch"})
"""Ops of the loops and branches of TensorFlow 1, which share frames and cannot be copied one by one."""

READ_ONLY_INPUTS = "_read_only_resource_inputs"
"""Attribute in which TensorFlow lists the handles that a call, loop or branch only reads."""


def owner(tensor: Any) -> Any:
    """Returns the op of the variable or table behind a handle or reference; None for any other tensor."""
    while not is_owner(tensor.op):
        # An op that changes a reference variable returns the reference.
        if not (tensor.dtype._is_ref_dtype and tensor.op.inputs):
            return None
        tensor = tensor.op.inputs[0]
    return tensor.op


def is_owner(op: Any) -> bool:
    """Returns whether an op is a variable or a table."""
    return op.type in VARIABLE_OPS or TABLE_OP.search(op.type) is not None


def written(op: Any, outer: Callable[[Any], Any] = lambda tensor: tensor) -> list[str]:
    """Returns the names of the variables and tables that an op changes.

    Args:
        op: Op of a graph or of a function's graph.
        outer: Function that returns the tensor of the graph around a function for an input of the function.

    Example:
        >>> with tf.Graph().as_default():
        ...     w = tf.Variable(1.0, name="w")
        ...     written(w.assign_add(2.0).op), written(w.read_value().op.inputs[0].op)
        (['w'], [])
    """
    if op.type in READERS or SOURCE_OP.search(op.type):
        return []
    untouched = _read_only_inputs(op)
    found: dict[str, None] = {}
    for i, tensor in enumerate(op.inputs):
        if i in untouched or not (tensor.dtype == tf.resource or _takes_reference(op, i)):
            continue
        if (variable := owner(outer(tensor))) is not None:
            found[variable.name] = None
    return list(found)


def _takes_reference(op: Any, i: int) -> bool:
    """Returns whether an input is changed in place; such ops have one tensor for each of their first arguments."""
    arguments = op.op_def.input_arg
    return i < len(arguments) and bool(arguments[i].is_ref)


def _read_only_inputs(op: Any) -> set[int]:
    try:
        return set(op.get_attr(READ_ONLY_INPUTS))
    except ValueError:
        return set()


def initializers(graph: Any) -> set[str]:
    """Returns the names of the ops that initialise the variables and tables of a graph."""
    keys = v1.GraphKeys
    variables = [*graph.get_collection(keys.GLOBAL_VARIABLES), *graph.get_collection(keys.LOCAL_VARIABLES)]
    return {variable.initializer.name for variable in variables} | {
        op.name for op in graph.get_collection(keys.TABLE_INITIALIZERS)
    }


def changing_ops(ops: Iterable[Any], graph: Any) -> list[Any]:
    """Returns the ops that change variables or tables, without their initialisers.

    Args:
        ops: Ops of the graph in the order of their creation.
        graph: Graph whose initialisers are left out, also those that others have replaced.
    """
    initial = initializers(graph)
    return [op for op in ops if op.name not in initial and any(f"{name}/Assign" != op.name for name in written(op))]


def upstream_ops(ends: Iterable[Any], stop: Callable[[Any], bool] | None = None) -> list[Any]:
    """Returns the ops that some ops need and these themselves, in the order of their creation.

    Args:
        ends: Ops to start from.
        stop: Function that returns True for ops at which the search stops; they are left out.
    """
    found: dict[str, Any] = {}
    waiting = list(ends)
    while waiting:
        op = waiting.pop()
        if op.name not in found and not (stop and stop(op)):
            found[op.name] = op
            waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return sorted(found.values(), key=lambda op: op._id)


def never_run(op: Any) -> list[str]:
    """Returns the ops in the loops and branches of an op that change something and that nothing there waits for.

    In a function TensorFlow runs them all the same, in a loop or branch outside of one it leaves them out.
    """
    found = []
    for function in _functions(op):
        ends = [*(each.op for each in function.outputs), *function.control_outputs]
        run = {each.name for each in upstream_ops(ends)}
        for each in function.get_operations():
            if each.name not in run and _takes_state(each):
                found.append(each.name)
            found += never_run(each)
    return found


def _functions(op: Any) -> list[Any]:
    """Returns the graphs of the functions that an op calls."""
    names = [attribute.func.name for attribute in op.node_def.attr.values() if attribute.func.name]
    names += [function.name for attribute in op.node_def.attr.values() for function in attribute.list.func]
    outer = op.graph
    while not all(outer._is_function(name) for name in names) and getattr(outer, "outer_graph", None):
        outer = outer.outer_graph
    found = [outer._get_function(name) for name in names]
    return [function.graph for function in found if hasattr(function, "graph")]


def _takes_state(op: Any) -> bool:
    untouched = _read_only_inputs(op)
    taken = [tensor.dtype == tf.resource for i, tensor in enumerate(op.inputs) if i not in untouched]
    return any(taken) and op.type not in READERS and not SOURCE_OP.search(op.type)


def fed_ops(graph: Any) -> set[str]:
    """Returns the names of the ops that depend on a placeholder, and so were made to be run later."""
    found: set[str] = set()
    for op in graph.get_operations():
        if op.type in PLACEHOLDERS or any(tensor.op.name in found for tensor in op.inputs):
            found.add(op.name)
    return found
