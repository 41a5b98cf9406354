"""Refusals of what a constructor does to variables in a way that a graph cannot keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.ops.state_ops import initializers, owner, upstream_ops, written
from trainer.graphdef.op_types import PLACEHOLDERS

PATH_TO_FEED = b"model"
"""Constant of ``tf.train.Checkpoint`` in a graph, in place of the path."""

INITIALISES = frozenset({"Assign", "AssignVariableOp", "IsVariableInitialized", "VarIsInitializedOp"})
"""Ops on a variable that an initialiser needs, and that do not read it."""

MAX_GRAPH_BYTES = 2**31 - 1
"""Maximum size of a GraphDef, and so of all constants in a graph."""


def check_restores(ops: Iterable[Any]) -> None:
    """Refuses a restore whose path would be given to a session: ``tf.train.Checkpoint.restore`` in a graph.

    Args:
        ops: Ops of a constructor, and of the first call of a model.

    Raises:
        RequestError: There is such a restore.
    """
    for op in ops:
        if op.type != "RestoreV2" or op.inputs[0].op.type != "Const":
            continue
        if tf.get_static_value(op.inputs[0]) == PATH_TO_FEED:
            raise RequestError(
                "tf.train.Checkpoint.restore takes its path in a session only, so the constructor restores nothing; "
                "use tf.compat.v1.train.init_from_checkpoint, load_weights, or assign what tf.train.load_checkpoint "
                "reads"
            )


def savers_in(ops: Iterable[Any]) -> list[str]:
    """Returns the names of the ops by which Savers among a constructor's ops restore variables in a session."""
    return [op.name for op in ops if op.type == "RestoreV2" and op.inputs[0].op.type in PLACEHOLDERS]


def check_starts_before_given(given: Sequence[Any], graph: Any) -> None:
    """Refuses initial values that depend on values from the constructor, which are given after them.

    Args:
        given: Ops of the constructor that give values, in the order of their creation.
        graph: Graph of the variables.

    Raises:
        RequestError: A variable's initial value reads a variable that has been given a value before.
    """
    if not given:
        return
    made = {op.name for op in given}
    first = {name: op._id for op in reversed(given) for name in written(op)}
    for op in upstream_ops([graph.get_operation_by_name(name) for name in initializers(graph)]):
        for name in map(_name, op.inputs):
            if op.name in made or (op.type not in INITIALISES and op._id > first.get(name, op._id)):
                raise RequestError(
                    f"the initial value of a variable depends on a value that the constructor gives to {name} "
                    f"({op.name}); give it by assign() too"
                )


def _name(tensor: Any) -> str:
    variable = owner(tensor) if tensor.dtype == tf.resource or tensor.dtype._is_ref_dtype else None
    return variable.name if variable is not None else ""


def check_not_run_again(given: Sequence[Any], ends: Sequence[Any]) -> None:
    """Refuses a model whose calls run an op of its constructor again, and so set a variable back each time.

    Args:
        given: Ops of the constructor that give values.
        ends: Ops of the calls of the model.

    Raises:
        RequestError: A call needs such an op.
    """
    if not given:
        return
    again = {op.name for op in upstream_ops(ends)}
    if op := next((op for op in given if op.name in again), None):
        name = written(op)[0]
        raise RequestError(
            f"a call of the model runs the constructor's {op.name} again, which sets {name} back each time; keep the "
            "variable in an attribute, not what assign() returns, and assign in __call__ what each call shall change"
        )


def check_fits_a_graph(graph: Any, limit: int = MAX_GRAPH_BYTES) -> None:
    """Refuses constants that exceed the size of a graph.

    Args:
        graph: Graph with what a constructor has made.
        limit: Maximum size in bytes.

    Raises:
        RequestError: The constants are too large.
    """
    size = sum(_bytes(op.outputs[0]) for op in graph.get_operations() if op.type == "Const")
    if size > limit:
        raise RequestError(
            f"the values in the model's constructor have {size / 1e9:.1f} GB, and a graph holds {limit / 1e9:.1f} GB "
            "at most; write them into a checkpoint once, and load it with warm_start.path"
        )


def _bytes(tensor: Any) -> int:
    count = tensor.shape.num_elements()
    return 0 if count is None or tensor.dtype == tf.string else int(count * tensor.dtype.size)
