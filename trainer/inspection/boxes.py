"""Reduction of a graph to boxes: one box for each name scope, with the parameters that it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.graphdef.traverse import downstream, node_of, upstream
from trainer.inspection.ops import Op
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


def boxes_of(operations: Sequence[Op], outputs: Collection[str], depth: int | None = None) -> Boxes:
    """Returns the boxes of an inference graph.

    Ops that depend on no placeholder are constant; they are shown as parameters of the boxes that use them.

    Args:
        operations: Ops of the inference part.
        outputs: Names of its output tensors.
        depth: Levels of name scopes to open; None for as many as ``MAX_BOXES`` allows.
    """
    ends = {node_of(name) for name in outputs}
    ops = {op.name: op for op in operations}
    reads = {op.name: op.inputs for op in operations}
    dependent = downstream(reads, [op.name for op in operations if op.type in PLACEHOLDERS]) | ends
    shown = [op for op in operations if op.name in dependent]
    constant = {name: tensors for name, tensors in reads.items() if name not in dependent}
    parameters = {
        op.name: [ops[name] for name in upstream(constant, op.inputs) if ops[name].is_parameter] for op in shown
    }
    if depth is not None:
        return _at_depth(shown, ends, parameters, depth)
    deepest = max((op.name.count("/") for op in shown), default=0)
    found = _at_depth(shown, ends, parameters, deepest)
    while len(found.boxes) > MAX_BOXES and deepest > 1:
        deepest -= 1
        found = _at_depth(shown, ends, parameters, deepest)
    return found


def _at_depth(shown: list[Op], ends: Collection[str], parameters: Mapping[str, Sequence[Op]], depth: int) -> Boxes:
    groups: dict[str, list[Op]] = {}
    group_of = {}
    names = {op.name for op in shown}
    for op in shown:
        scope = "/".join(_scope(op.name, names).split("/")[:depth])
        alone = not scope or op.name in ends or op.type in PLACEHOLDERS
        group_of[op.name] = op.name if alone else scope
        groups.setdefault(group_of[op.name], []).append(op)
    edges = {
        (group_of[name], group): None
        for group, ops in groups.items()
        for op in ops
        for name in op.inputs
        if name in group_of and group_of[name] != group
    }
    return Boxes({name: _box(name, ops, ends, parameters) for name, ops in groups.items()}, tuple(edges))


def _scope(name: str, names: Collection[str]) -> str:
    """Returns the name scope of an op; helper ops named below another op belong to that op's scope."""
    scope = name.rpartition("/")[0]
    return _scope(scope, names) if scope in names else scope


def _box(name: str, ops: list[Op], ends: Collection[str], parameters: Mapping[str, Sequence[Op]]) -> Box:
    types = Counter(op.type for op in ops if op.type not in PLACEHOLDERS)
    lines = [", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in types.most_common(MAX_LINES))]
    if len(types) > MAX_LINES:
        lines[0] += ", ..."
    own = {each.name: each for op in ops for each in parameters[op.name]}
    lines += [
        f"{each.name.removeprefix(f'{name}/').split('/')[-1]} {format_shape(each.sizes)}"
        for each in list(own.values())[:MAX_LINES]
    ]
    last = ops[-1]
    if last.has_output:
        lines.append(f"{last.dtype} {format_shape(last.sizes)}")
    kind = "op" if len(ops) == 1 else "scope"
    if ops[0].type in PLACEHOLDERS:
        kind = "input"
    elif name in ends:
        kind = "output"
    return Box(name, tuple(line for line in lines if line), kind)
