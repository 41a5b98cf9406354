"""State in inference: variables that a call with ``training=False`` changes, such as those of a stateful RNN.

The inference part of the graph computes one call from the initial state: it never reads such a variable. So a ``.pb``,
a SavedModel and the ``.meta`` all agree, and none of them holds the state that the last batch happened to leave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.ops.state_effects import READS, value_after, value_read
from trainer.graph.ops.state_ops import changing_ops, owner, upstream_ops, written

v1 = tf.compat.v1

SCOPE = "inference_state"
"""Scope of the initial values in the inference part."""

STATELESS = frozenset({"VariableShape", "VarIsInitializedOp"})
"""Ops on a variable that do not depend on its value."""

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def split_at_build(ops: Sequence[Any], graph: Any, trace: Callable[[], Any]) -> tuple[list[Any], list[Any]]:
    """Returns the changing ops of a first call: those that build layers, once, and those that each call repeats.

    Args:
        ops: Ops of the first call in the order of their creation.
        graph: Their graph.
        trace: Function that traces a second call and returns the graph of its function.
    """
    changing = changing_ops(ops, graph)
    if not changing:
        return [], []
    repeated = trace()
    outer = {inside.name: outside for outside, inside in repeated.captures}
    in_each_call = Counter(
        name for op in repeated.get_operations() for name in written(op, lambda tensor: outer.get(tensor.name, tensor))
    )
    at_build: list[Any] = []
    in_call: list[Any] = []
    # The last changes of a variable are those of the call; what came before was done once.
    for op in reversed(changing):
        names = written(op)
        (in_call if any(in_each_call[name] > 0 for name in names) else at_build).append(op)
        in_each_call.subtract(names)
    return at_build[::-1], in_call[::-1]


def read_initial_state(names: Sequence[str], graph: Any, give: Callable[[Any], None]) -> dict[str, Any]:
    """Returns the values of variables at the start of a run, from a session of its own.

    Args:
        names: Names of the variables.
        graph: Graph of the run.
        give: Function that gives the variables of a session the values from the constructor.
    """
    keys = v1.GraphKeys
    variables = [*graph.get_collection(keys.GLOBAL_VARIABLES), *graph.get_collection(keys.LOCAL_VARIABLES)]
    with v1.Session(graph=graph) as session:
        session.run([variable.initializer for variable in variables] + graph.get_collection(keys.TABLE_INITIALIZERS))
        give(session)
        return {v.op.name: session.run(v) for v in variables if v.op.name in names}


def start_from(initial: Mapping[str, Any], ops: Sequence[Any]) -> None:
    """Rewires the ops of a call, so that they read initial values instead of the variables that hold state.

    A read after an assignment gets the assigned value, as it does in eager mode.

    Args:
        initial: Initial values by name of the variable.
        ops: Ops of the call in the order of their creation.

    Example:
        >>> with tf.Graph().as_default() as graph, v1.Session() as session:
        ...     count = tf.Variable(5.0, name="count")
        ...     known = len(graph.get_operations())
        ...     _ = count.assign_add(1.0)
        ...     twice = 2.0 * count
        ...     start_from({"count": np.float32(0)}, graph.get_operations()[known:])
        ...     float(session.run(twice))
        2.0
    """
    with tf.name_scope(SCOPE):
        values = {name: _constant(value) for name, value in initial.items()}
        for op in _inlined(ops, initial):
            _wait_for_no_state(op, initial)
            name = next((owned for each in op.inputs if (owned := _owned(each, initial))), None)
            if name is None:
                continue
            if op.type in READS and values[name] is not None:
                _replace(op.outputs[0], value_read(op, values[name]))
            if written(op):
                values[name] = value_after(op, values[name])


def _owned(tensor: Any, names: Collection[str]) -> str | None:
    variable = owner(tensor) if tensor.dtype == tf.resource or tensor.dtype._is_ref_dtype else None
    return variable.name if variable is not None and variable.name in names else None


def _constant(value: Any) -> Any:
    """Returns a value as a tensor; many equal numbers, such as zeros, take no space in a file."""
    value = np.asarray(value)
    if value.size > 1 and value.dtype != object and np.all(value == value.flat[0]):
        return tf.fill(value.shape, tf.constant(value.flat[0], value.dtype))
    return tf.constant(value)


def _replace(old: Any, new: Any) -> None:
    for reader in old.consumers():
        for i, each in enumerate(reader.inputs):
            if each.name == old.name:
                reader._update_input(i, new)


def _wait_for_no_state(op: Any, names: Mapping[str, Any]) -> None:
    """Removes the control inputs that read or change state: what is read after a change has the new value already."""
    waits = op.control_inputs
    kept = [each for each in waits if not any(_owned(tensor, names) for tensor in each.inputs)]
    if len(kept) < len(waits):
        op._remove_all_control_inputs()
        op._add_control_inputs(kept)


def _inlined(ops: Sequence[Any], names: Mapping[str, Any]) -> list[Any]:
    """Returns the ops, with the bodies of functions in place of the calls that take a variable with state."""
    found: list[Any] = []
    for op in ops:
        if op.type in CALLS and any(_owned(each, names) for each in op.inputs):
            found += _inlined(_inline(op), names)
        else:
            found.append(op)
    return found


def _inline(call: Any) -> list[Any]:
    graph = call.graph
    function = graph._get_function(call.get_attr("f").name).graph
    known = len(graph.get_operations())
    graph_def = function.as_graph_def()
    # The graph has the functions that this one calls; others of the same names would replace them.
    graph_def.library.Clear()
    outputs = tf.import_graph_def(
        graph_def,
        {inside.name: outside for inside, outside in zip(function.inputs, call.inputs, strict=True)},
        return_elements=[each.name for each in function.outputs],
        name="call",
    )
    for old, new in zip(call.outputs, outputs, strict=True):
        _replace(old, new)
    return list(graph.get_operations()[known:])


def check_starts_anew(names: Collection[str], ends: Sequence[Any]) -> None:
    """Checks that what a call returns depends on no state.

    Args:
        names: Names of the variables and tables that the call changes.
        ends: Ops that compute what the call returns.

    Raises:
        RequestError: It depends on state that cannot be rewired: in a loop, in a branch, in a table.
    """
    for op in upstream_ops(ends):
        name = next((owned for each in op.inputs if (owned := _owned(each, names))), None)
        if name is not None and op.type not in STATELESS:
            raise RequestError(
                f"inference changes {name!r}, and then its outputs depend on it in the op {op.name!r} of "
                f"type {op.type}, which cannot start from an initial state; read the variable before any loop or "
                "branch, compute its new value as a whole, use that value, and assign it"
            )
