"""Range checks of all ops of a traced function, also of those in its branches, loops and inner functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# TensorFlow rewrites loops and calls with these for its own gradients; they have no public names.
from tensorflow.python.ops.control_flow_util_v2 import create_new_tf_function, get_func_graph, unique_fn_name

from trainer.graph.compiling.range_checks import CHECKS, UncheckableError, checks_of

v1 = tf.compat.v1

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
BRANCHES = frozenset({"If", "StatelessIf"})
CASES = frozenset({"Case", "StatelessCase"})
LOOPS = frozenset({"While", "StatelessWhile"})
NESTING = CALLS | BRANCHES | CASES | LOOPS
"""Types of the ops that run functions and that can return a check from inside them."""


def op_types(graph: Any) -> set[str]:
    """Returns the types of all ops of a graph, at any depth."""
    definition = graph.as_graph_def()
    inside = (function.node_def for function in definition.library.function)
    return {node.op for nodes in (definition.node, *inside) for node in nodes}


def needs_checks(graph: Any) -> bool:
    """Returns whether a graph has an op of a type that may need a check."""
    return not CHECKS.keys().isdisjoint(op_types(graph))


def all_hold(ops: Sequence[Any]) -> Any:
    """Returns whether the checks of all ops hold, a bool scalar in the default graph; None where there is none.

    Ops that run a function get one more output, so that a check inside it can be read outside.

    Args:
        ops: Ops of the default graph, which is still open.

    Raises:
        UncheckableError: An op needs a check that cannot be made there.
    """
    checks = [check for op in ops for check in [*checks_of(op), *_inside(op)]]
    if not checks:
        return None
    return checks[0] if len(checks) == 1 else tf.reduce_all(tf.stack(checks))


def _inside(op: Any) -> list[Any]:
    """Returns the check of all functions that an op runs, as a new output of the op; [] where they need none."""
    if op.type in LOOPS:
        return _inside_loop(op)
    names = _function_names(op)
    if not names:
        return []
    arguments = op.inputs if op.type in CALLS else op.inputs[1:]
    graphs = [_opened(op, name, arguments) for name in names]
    checks = [_hold(graph) for graph in graphs]
    if all(check is None for check in checks):
        return []
    for graph, check in zip(graphs, checks, strict=True):
        with graph.as_default():
            graph.outputs.append(tf.constant(True) if check is None else tf.identity(check))
    _set_functions(op, [_registered(graph) for graph in graphs])
    op._set_type_list_attr("Tout", graphs[0].output_types)
    if op.type not in CALLS:
        op._set_shape_list_attr("output_shapes", _shapes_with_scalar(op))
    op._add_outputs([tf.bool], [tf.TensorShape([])])
    return [op.outputs[-1]]


def _inside_loop(op: Any) -> list[Any]:
    """Carries the check of a loop's body through the loop as one more variable."""
    condition, body = (_opened(op, op.get_attr(each).name, op.outputs) for each in ("cond", "body"))
    if _hold(condition) is not None:
        raise UncheckableError("the condition of a while loop has an op whose check XLA drops")
    check = _hold(body)
    if check is None:
        return []
    for graph in (condition, body):
        with graph.as_default():
            so_far = v1.placeholder(tf.bool, [], name="checks_hold")
            graph.inputs.append(so_far)
    with body.as_default():
        body.outputs.append(so_far & check)
    shapes = _shapes_with_scalar(op)
    op._set_func_attr("cond", _registered(condition))
    op._set_func_attr("body", _registered(body))
    op._set_type_list_attr("T", body.output_types)
    op._set_shape_list_attr("output_shapes", shapes)
    with op.graph.as_default():
        op._add_while_inputs([tf.constant(True)])
    op._add_outputs([tf.bool], [tf.TensorShape([])])
    return [op.outputs[-1]]


def _function_names(op: Any) -> list[str]:
    if op.type in CALLS:
        return [op.get_attr("f").name]
    if op.type in BRANCHES:
        return [op.get_attr("then_branch").name, op.get_attr("else_branch").name]
    return [each.name for each in op.get_attr("branches")] if op.type in CASES else []


def _set_functions(op: Any, names: Sequence[str]) -> None:
    if op.type in CALLS:
        op._set_func_attr("f", names[0])
    elif op.type in BRANCHES:
        op._set_func_attr("then_branch", names[0])
        op._set_func_attr("else_branch", names[1])
    else:
        op._set_func_list_attr("branches", names)


def _opened(op: Any, name: str, arguments: Sequence[Any]) -> Any:
    """Returns a copy of a function's body, to which ops can be added, under a name of its own."""
    graph = get_func_graph(op, [each.shape for each in arguments], name)
    graph.name = unique_fn_name("", f"{name}_checked")
    return graph


def _hold(graph: Any) -> Any:
    with graph.as_default():
        return all_hold(graph.get_operations())


def _registered(graph: Any) -> str:
    return str(create_new_tf_function(graph))


def _shapes_with_scalar(op: Any) -> list[Any]:
    return [*(tf.TensorShape(each) for each in op.get_attr("output_shapes")), tf.TensorShape([])]
