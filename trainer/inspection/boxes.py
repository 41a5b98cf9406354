"""Reduction of a graph to boxes: one box for each name scope, with the parameters that it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.graphdef.op_types import PLACEHOLDERS, VARIABLE_OPS
from trainer.graphdef.traverse import downstream, node_of, upstream
from trainer.predict.tensor_info import format_shape

MAX_BOXES = 60
"""Maximum number of boxes in a readable picture; name scopes are opened up to this limit."""

MAX_LINES = 4
"""Maximum number of parameters, and of types of ops, in a box."""


@dataclass(frozen=True)
class Box:
    """Box of a picture.

    Args:
        name: Name of the op or of the name scope.
        lines: Lines of text below the name.
        kind: Kind of the box: ``input``, ``output``, ``scope`` or ``op``.
    """

    name: str
    lines: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class Boxes:
    """Boxes by name, and edges as pairs of names (from, to)."""

    boxes: Mapping[str, Box]
    edges: tuple[tuple[str, str], ...]


def boxes_of(graph: Any, outputs: Collection[str], depth: int | None = None) -> Boxes:
    """Returns the boxes of an inference graph.

    Ops that depend on no placeholder are constant; they are shown as parameters of the boxes that use them.

    Args:
        graph: ``tf.Graph`` of the inference part alone.
        outputs: Names of its output tensors.
        depth: Levels of name scopes to open; None for as many as ``MAX_BOXES`` allows.
    """
    ends = {node_of(name) for name in outputs}
    operations = graph.get_operations()
    reads = {op.name: [tensor.op.name for tensor in op.inputs] for op in operations}
    dependent = downstream(reads, [op.name for op in operations if op.type in PLACEHOLDERS]) | ends
    shown = [op for op in operations if op.name in dependent]
    constant = {name: tensors for name, tensors in reads.items() if name not in dependent}
    parameters = {op.name: _parameters(graph, upstream(constant, reads[op.name])) for op in shown}
    if depth is not None:
        return _at_depth(shown, ends, parameters, depth)
    deepest = max((op.name.count("/") for op in shown), default=0)
    found = _at_depth(shown, ends, parameters, deepest)
    while len(found.boxes) > MAX_BOXES and deepest > 1:
        deepest -= 1
        found = _at_depth(shown, ends, parameters, deepest)
    return found


def _parameters(graph: Any, names: Iterable[str]) -> list[Any]:
    """Returns the variables and the floating constants among some ops, without scalars."""
    found = []
    for name in names:
        op = graph.get_operation_by_name(name)
        is_parameter = op.type in VARIABLE_OPS or (op.type == "Const" and op.outputs[0].dtype.is_floating)
        if is_parameter and op.outputs[0].shape.rank:
            found.append(op)
    return found


def _at_depth(shown: list[Any], ends: Collection[str], parameters: Mapping[str, Sequence[Any]], depth: int) -> Boxes:
    groups: dict[str, list[Any]] = {}
    group_of = {}
    names = {op.name for op in shown}
    for op in shown:
        scope = "/".join(_scope(op.name, names).split("/")[:depth])
        alone = not scope or op.name in ends or op.type in PLACEHOLDERS
        group_of[op.name] = op.name if alone else scope
        groups.setdefault(group_of[op.name], []).append(op)
    edges = {
        (group_of[tensor.op.name], group): None
        for group, ops in groups.items()
        for op in ops
        for tensor in op.inputs
        if tensor.op.name in group_of and group_of[tensor.op.name] != group
    }
    return Boxes({name: _box(name, ops, ends, parameters) for name, ops in groups.items()}, tuple(edges))


def _scope(name: str, names: Collection[str]) -> str:
    """Returns the name scope of an op; helper ops named below another op belong to that op's scope."""
    scope = name.rpartition("/")[0]
    return _scope(scope, names) if scope in names else scope


def _box(name: str, ops: list[Any], ends: Collection[str], parameters: Mapping[str, Sequence[Any]]) -> Box:
    types = Counter(op.type for op in ops if op.type not in PLACEHOLDERS)
    lines = [", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in types.most_common(MAX_LINES))]
    if len(types) > MAX_LINES:
        lines[0] += ", ..."
    own = {each.name: each for op in ops for each in parameters[op.name]}
    lines += [
        f"{each.name.removeprefix(f'{name}/').split('/')[-1]} {format_shape(each.outputs[0].shape)}"
        for each in list(own.values())[:MAX_LINES]
    ]
    last = ops[-1].outputs
    if last:
        shape = None if last[0].shape.rank is None else last[0].shape.as_list()
        lines.append(f"{last[0].dtype.base_dtype.name} {format_shape(shape)}")
    kind = "op" if len(ops) == 1 else "scope"
    if ops[0].type in PLACEHOLDERS:
        kind = "input"
    elif name in ends:
        kind = "output"
    return Box(name, tuple(line for line in lines if line), kind)
