"""Values that a constructor gives to variables and tables: in a graph, ops that someone has to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.ops.state_ops import (
    LOOP_FRAMES,
    changing_ops,
    fed_ops,
    initializers,
    is_owner,
    never_run,
    owner,
    upstream_ops,
    written,
)

v1 = tf.compat.v1

SCOPE = "constructor_values"
"""Scope of the copies of a constructor's ops."""


@dataclass(frozen=True)
class ConstructorValues:
    """Values that constructors have given to variables and tables.

    Args:
        runs: Ops that give them, to be run one after another once all variables have their initial values.
        names: Names of the variables and tables.
        ops: Names of all ops that serve only to give them; no file needs these.
    """

    runs: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    ops: frozenset[str] = frozenset()

    def __add__(self, others: ConstructorValues) -> ConstructorValues:
        names = dict.fromkeys([*self.names, *others.names])
        return ConstructorValues((*self.runs, *others.runs), tuple(names), self.ops | others.ops)

    def give(self, session: Any) -> None:
        """Gives the variables and tables of a session their values."""
        for run in self.runs:
            session.run(run)


def given_by(ops: Sequence[Any], graph: Any) -> list[Any]:
    """Returns the ops among those of a constructor that give values to variables and tables.

    An op that needs a placeholder was made to be run later, with a value to feed.

    Raises:
        RequestError: A value is given in a way that a graph leaves out.
    """
    given = changing_ops(ops, graph)
    fed = fed_ops(graph) if given else ()
    given = [op for op in given if op.name not in fed]
    for op in given:
        if lost := never_run(op):
            raise RequestError(
                f"the constructor changes {written(op)[0]} in a loop or branch ({op.name}) by an op that a graph "
                f"leaves out ({lost[0]}); put the loop into a tf.function"
            )
    return given


def in_order_of_creation(given: Sequence[Any], graph: Any) -> ConstructorValues:
    """Adds copies of ops to a graph that run in the order in which the ops were made, as they do in eager mode.

    The ops themselves have no order, and other parts of the graph may need what they read. Constants are not copied.

    Args:
        given: Ops that give values.
        graph: Their graph.

    Raises:
        RequestError: An op is part of a loop or branch of TensorFlow 1.

    Example:
        >>> with tf.Graph().as_default() as graph, v1.Session() as session:
        ...     w = tf.Variable([1.0, 2.0])
        ...     given = [w.assign(w * 3.0).op, w.assign_add([1.0, 1.0]).op]
        ...     values = in_order_of_creation(given, graph)
        ...     session.run(w.initializer)
        ...     values.give(session)
        ...     session.run(w).tolist()
        [4.0, 7.0]
    """
    if not given:
        return ConstructorValues()
    initial = initializers(graph)
    copied = upstream_ops(given, stop=lambda op: _stays(op) or op.name in initial)
    if framed := next((op for op in copied if op.type in LOOP_FRAMES), None):
        raise RequestError(
            f"the constructor gives {written(given[-1])[0]} a value in a loop or branch of TensorFlow 1 "
            f"({framed.name}), which cannot be kept; compute the value with NumPy and assign it"
        )
    graph_def, outside = _sequence(copied)
    graph_def.versions.CopyFrom(graph.graph_def_versions)
    before = len(graph.get_operations())
    (run,) = tf.import_graph_def(graph_def, outside, return_elements=[graph_def.node[-1].name], name=SCOPE)
    copies = graph.get_operations()[before:]
    names = dict.fromkeys(name for op in given for name in written(op))
    return ConstructorValues((run,), tuple(names), frozenset(op.name for op in (*given, *copies)))


def _stays(op: Any) -> bool:
    """Returns whether copies read the op itself: a constant, a variable, a table."""
    return (
        op.type == "Const"
        or is_owner(op)
        or (not op.inputs and any(each.dtype == tf.resource or each.dtype._is_ref_dtype for each in op.outputs))
    )


def _sequence(ops: Iterable[Any]) -> tuple[Any, dict[str, Any]]:
    """Returns a GraphDef of copies, each of which waits for the one before, and the tensors from outside by name."""
    ops = list(ops)
    graph_def, outside, names, previous = v1.GraphDef(), {}, {op.name for op in ops}, ""
    for op in ops:
        if _reads_reference(op):
            continue
        inputs = []
        for i, tensor in enumerate(op.inputs):
            if tensor.op.name in names and _reads_reference(tensor.op):
                # Such a read is made with its variable, and has the variable's value of when it is used.
                outside[tensor.op.inputs[0].name] = tensor.op.inputs[0]
                previous = _copy(graph_def, tensor.op, f"{op.name}/{i}", [tensor.op.inputs[0].name], previous)
                inputs.append(f"{previous}:0")
                continue
            inputs.append(tensor.name)
            if tensor.op.name not in names:
                outside[tensor.name] = tensor
        previous = _copy(graph_def, op, op.name, inputs, previous)
    return graph_def, outside


def _reads_reference(op: Any) -> bool:
    if op.type != "Identity" or not op.inputs[0].dtype._is_ref_dtype:
        return False
    variable = owner(op.inputs[0])
    return variable is not None and op.name == f"{variable.name}/read"


def _copy(graph_def: Any, op: Any, name: str, inputs: Sequence[str], previous: str) -> str:
    node = graph_def.node.add()
    node.CopyFrom(op.node_def)
    node.name = name
    del node.input[:]
    node.input.extend([*inputs, *([f"^{previous}"] if previous else [])])
    # The node may share its device with an op that is not copied.
    node.attr.pop("_class", None)
    return name
