"""Search for the op of an update that gave the first number that is not finite."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.error_text import user_place
from trainer.graph.ops.random_ops import OURS, frames_of

v1 = tf.compat.v1

NO_ORIGINS = frozenset({"Const", "ReadVariableOp"})
"""Types of ops that give numbers made elsewhere: the variables are finite before the step."""

SHOWN_INPUTS = 3
"""Max number of inputs of an op whose values a message shows."""


@dataclass(frozen=True)
class UpdateInputs:
    """Values that an update starts from.

    Args:
        batch: Inputs and labels, arrays by name.
        variables: Values of the variables, by the tensors of their handles as references.
        others: Values of other tensors that the update takes from outside, by reference.
    """

    batch: tuple[Mapping[str, Any], Mapping[str, Any]]
    variables: Mapping[Any, Any]
    others: Mapping[Any, Any]


def find_origin(update: Any, values: UpdateInputs) -> str | None:
    """Runs an update op by op in a graph of its own, and tells which op gave the first nan, else the first infinity.

    Args:
        update: ``FuncGraph`` of the update; its first output begins with the loss.
        values: Values that it starts from.

    Returns:
        Text such as ``Log (model.py:30) gave -inf for an input of 0``; None where all numbers are finite.
    """
    with tf.Graph().as_default():
        feeds, start = _import(update, values)
        graph = v1.get_default_graph()
        pairs = [(op, graph.get_operation_by_name(op.name)) for op in update.get_operations()]
        floats = [
            (op, copy, at) for op, copy in pairs for at, each in enumerate(copy.outputs) if each.dtype.is_floating
        ]
        flags = [
            (tf.reduce_any(tf.math.is_nan(copy.outputs[at])), tf.reduce_any(tf.math.is_inf(copy.outputs[at])))
            for _, copy, at in floats
        ]
        config = v1.ConfigProto(allow_soft_placement=True)
        with v1.Session(config=config) as session:
            session.run(start, feeds)
            found = session.run(flags, feeds)
            nans, infs = (
                {op.outputs[at].ref() for (op, _, at), flag in zip(floats, found, strict=True) if flag[kind]}
                for kind in (0, 1)
            )
            op = first_bad(update.get_operations(), loss_of_update(update), nans, infs)
            if op is None:
                return None
            copy = graph.get_operation_by_name(op.name)
            session.run(start, feeds)
            shown = [t for t in copy.inputs if t.dtype.is_floating or t.dtype.is_integer or t.dtype.is_bool]
            bad = next(t for t, own in zip(copy.outputs, op.outputs, strict=True) if own.ref() in nans | infs)
            output, inputs = session.run((bad, shown), feeds)
    if op.type == "Placeholder":
        return describe_input(_names(update, values).get(op.name, op.name), output)
    return describe_op(op, output, inputs)


def first_bad(ops: Sequence[Any], loss: Any, nans: Collection[Any], infs: Collection[Any]) -> Any:
    """Returns the op where the trouble began, or None.

    An infinity may be meant, as in a mask whose exponential is 0, so it counts only where numbers that are not finite
    lead from it to the loss, or to a nan.

    Args:
        ops: All ops, each after those that it depends on.
        loss: Loss, a tensor of one of the ops.
        nans: References to the tensors with a nan.
        infs: References to the tensors with an infinity.
    """
    bad = {*nans, *infs}
    # Ops without outputs assign variables.
    assigned = [each for op in ops if not op.outputs for each in op.inputs]
    led = _led_to([loss] if loss.ref() in bad else assigned, bad)
    among = [op for op in ops if op in led] or ops
    if loss.ref() in infs:
        return _birth(among, infs, infs)
    op = _birth(among, nans, nans)
    if op is None:
        return _birth(among, infs, infs)
    before = _led_to([each for each in op.inputs if each.ref() in infs and each.op.type != "Const"], bad)
    return _birth([each for each in among if each in before], infs, bad) or op


def _birth(ops: Sequence[Any], bad: Collection[Any], tainted: Collection[Any]) -> Any:
    """Returns the first op with a bad output whose inputs, constants aside, are not tainted."""
    for op in ops:
        clean = all(each.ref() not in tainted or each.op.type == "Const" for each in op.inputs)
        if op.type not in NO_ORIGINS and clean and any(each.ref() in bad for each in op.outputs):
            return op
    return None


def _led_to(tensors: Sequence[Any], bad: Collection[Any]) -> set[Any]:
    """Returns the ops of bad tensors, and those before them along bad tensors alone."""
    found, todo = set(), [each.op for each in tensors if each.ref() in bad]
    while todo:
        op = todo.pop()
        if op not in found:
            found.add(op)
            todo += [each.op for each in op.inputs if each.ref() in bad]
    return found


def loss_of_update(update: Any) -> Any:
    """Returns the first metric of an update, whose output is the stacked metrics, with learning rates behind them."""
    metrics = update.outputs[0]
    while metrics.op.type in ("Identity", "ConcatV2"):
        metrics = metrics.op.inputs[0]
    return metrics.op.inputs[0] if metrics.op.type == "Pack" else metrics


def _import(update: Any, values: UpdateInputs) -> tuple[dict[Any, Any], Any]:
    """Imports the update into the default graph; returns what to feed, and the op that sets the variables."""
    feeds: dict[Any, Any] = {}
    mapped: dict[str, Any] = {}
    assigned = []
    for outside, inside in update.captures:
        if outside.dtype == tf.resource:
            value = values.variables[outside.ref()]
            handle = tf.raw_ops.VarHandleOp(
                dtype=tf.as_dtype(value.dtype), shape=value.shape, shared_name=f"origin_{len(mapped)}"
            )
            fed = v1.placeholder(value.dtype, value.shape)
            assigned.append(tf.raw_ops.AssignVariableOp(resource=handle, value=fed))
            mapped[inside.name] = handle
        else:
            value = values.others[outside.ref()]
            fed = mapped[inside.name] = v1.placeholder(outside.dtype, outside.shape)
        feeds[fed] = value
    tf.import_graph_def(update.as_graph_def(), input_map=mapped, name="")
    graph = v1.get_default_graph()
    for inside, value in zip(update.inputs, tf.nest.flatten(values.batch), strict=False):
        feeds[graph.get_tensor_by_name(inside.name)] = value
    return feeds, tf.group(*assigned)


def _names(update: Any, values: UpdateInputs) -> dict[str, str]:
    """Returns the names of the inputs and labels of the batch by the names of their placeholders."""
    names = [name for part in values.batch for name in sorted(part)]
    return {inside.op.name: name for inside, name in zip(update.inputs, names, strict=False)}


def describe_input(name: str, values: Any) -> str:
    """Returns a line on an input or a label that is not finite itself.

    Example:
        >>> describe_input("x", np.array([[1.0, 2.0], [np.nan, 3.0]]))
        'x of example 1 of the batch holds nan'
    """
    at = _first_bad(values)
    return f"{name} of example {at[0]} of the batch holds {values[at]}" if at else f"{name} is {values}"


def describe_op(op: Any, output: Any, inputs: Sequence[Any]) -> str:
    """Returns a line on an op, its place in the user's code, what it gave and for which inputs."""
    at = _first_bad(output)
    forward = getattr(op, "_original_op", None)
    place = _place_of(forward or op) or op.name
    what = f"{op.type} in the gradient of {forward.type}" if forward is not None else op.type
    values = [_input_at(each, at, np.shape(output)) for each in inputs[:SHOWN_INPUTS]]
    given = f" for {'an input' if len(values) == 1 else 'inputs'} of {' and '.join(values)}" if values else ""
    return f"{what} ({place}) gave {np.asarray(output)[at]}{given}"


def _place_of(op: Any) -> str:
    """Returns the place in the user's code that made an op, or ''."""
    frames = frames_of(op)
    # A program that calls the trainer makes no op itself: what the trainer calls comes after it.
    ours = [at for at, frame in enumerate(frames) if frame.filename.startswith(f"{OURS}/trainer/")]
    return user_place("".join(traceback.format_list(frames[min(ours, default=0) :])))


def _first_bad(values: Any) -> tuple[int, ...]:
    return tuple(int(each) for each in np.unravel_index(int(np.argmin(np.isfinite(values))), np.shape(values)))


def _input_at(values: Any, at: tuple[Any, ...], shape: tuple[int, ...]) -> str:
    """Returns the number of an input that belongs to an element of the output, or the range of all numbers."""
    try:
        return f"{np.broadcast_to(values, shape)[at]:g}"
    except ValueError:
        return f"{np.min(values):g} to {np.max(values):g}" if np.size(values) else "no numbers"
