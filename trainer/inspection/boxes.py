"""Reduction of a net to boxes: one box for each name scope, with the parameters that it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.inspection.additions import residual_additions
from trainer.inspection.net import Net
from trainer.inspection.ops import OUTPUT, Op
from trainer.inspection.partition import name_parts, part_additions, reads_between, without_circles
from trainer.inspection.scopes import scopes_at_depth, scopes_within
from trainer.inspection.siblings import repeated, slices
from trainer.predict.tensor_info import format_shape

MAX_BOXES = 60
"""Maximum number of boxes in a readable picture; name scopes are opened up to this limit."""

MAX_LINES = 4
"""Maximum number of parameters, and of types of ops, in a box."""

MIN_REPEATED = 3
"""Number of similar boxes side by side from which they are one."""

BUDGETS = (MAX_BOXES, 40, 25, 12, 5)
"""Numbers of boxes that are tried."""

SLICES = (24, 12, 6, 1)
"""Numbers of parts of a net that are tried if its scopes give no readable picture."""


@dataclass(frozen=True)
class Box:
    """Box of a picture.

    Args:
        name: Name of the op or of the name scope.
        lines: Lines of text below the name.
        kind: Kind of the box: ``input``, ``output``, ``scope``, ``op`` or ``addition``.
        flags: Scalar inputs that the box uses.
        members: Names of the boxes that it stands for, if several that are alike are one.
    """

    name: str
    lines: tuple[str, ...]
    kind: str
    flags: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Boxes:
    """Boxes by name, and edges as pairs of names (from, to)."""

    boxes: Mapping[str, Box]
    edges: tuple[tuple[str, str], ...]


def boxes_of(net: Net, depth: int | None = None) -> Boxes:
    """Returns the boxes of a net, as many as a picture of any width may have.

    Ops that depend on no input are constant; they are shown as parameters of the boxes that use them.

    Args:
        net: Net.
        depth: Levels of name scopes to open; None for as many as ``MAX_BOXES`` allows.
    """
    return next(candidates(net, depth))


def candidates(net: Net, depth: int | None = None) -> Iterator[Boxes]:
    """Yields the boxes of a net, fewer each time: repeated ones are grouped, then scopes closed.

    Args:
        net: Net.
        depth: Levels of name scopes to open first; None for as many as ``MAX_BOXES`` allows.
    """
    additions = residual_additions(net)
    levels = [scopes_at_depth(net, each) for each in range(depth, 0, -1)] if depth else []
    levels = levels or [scopes_at_depth(net, 0)] if depth is not None else []
    levels += [scopes_within(net, budget) for budget in BUDGETS]
    for i, opened in enumerate(levels):
        parted, apart = part_additions(net, opened, additions)
        drawing = _Drawing(net, name_parts(net, without_circles(net, parted)), apart)
        for by_name in (None, True, False):
            found = drawing.grouped(by_name)
            if len(found.boxes) <= MAX_BOXES or (i == 0 and depth is not None and len(found.boxes) <= 5 * MAX_BOXES):
                yield found
    inner = [op.name for op in net.ops if op.type not in PLACEHOLDERS and op.name not in net.outputs]
    rest = {op.name: op.name for op in net.ops}
    for count in SLICES:
        yield _Drawing(net, without_circles(net, {**rest, **slices(inner, count)}), frozenset()).grouped(False, 2)


@dataclass(frozen=True)
class _Drawing:
    """Boxes of a net before those that repeat are grouped.

    Args:
        net: Net.
        box_of: Box of each op.
        additions: Ops that are the boxes of residual additions.
    """

    net: Net
    box_of: Mapping[str, str]
    additions: frozenset[str] | set[str]

    @cached_property
    def ops(self) -> dict[str, list[Op]]:
        found: dict[str, list[Op]] = {}
        for op in self.net.ops:
            found.setdefault(self.box_of[op.name], []).append(op)
        return found

    def grouped(self, by_name: bool | None, least: int = MIN_REPEATED) -> Boxes:
        """Returns the boxes, with those that repeat as one: None for none of them."""
        reads = reads_between(self.net, self.box_of)
        groups = [] if by_name is None else repeated(reads, self._alike, by_name, least)
        label = {name: name for name in reads}
        for group in groups:
            label.update(dict.fromkeys(group, f"{group[0]} … {group[-1]}"))
        members: dict[str, list[str]] = {}
        for name in self.ops:
            members.setdefault(label[name], []).append(name)
        tags = self._shared(label)
        boxes = {name: self._box(each[0], tags) for name, each in members.items()}
        for name, each in members.items():
            if len(each) > 1:
                lines = (f"× {len(each)}", *boxes[name].lines)
                boxes[name] = replace(boxes[name], name=name, lines=lines, members=tuple(each))
        edges = {(label[each], label[name]): None for name in self.ops for each in sorted(reads[name], key=list(self.ops).index)}
        return Boxes(boxes, tuple(edges))

    def _alike(self, box: str) -> tuple[object, ...]:
        ops = self.ops[box]
        flags = frozenset(flag for op in ops for flag in self.net.flags[op.name])
        return (self._kind(box), frozenset(op.type for op in ops), flags if self._kind(box) != "input" else ())

    def _kind(self, box: str) -> str:
        ops = self.ops[box]
        if ops[0].type in PLACEHOLDERS:
            return "input"
        if any(op.name in self.net.outputs for op in ops):
            return "output"
        if any(op.name in self.additions for op in ops):
            return "addition"
        return "op" if len(ops) == 1 else "scope"

    def _shared(self, label: Mapping[str, str]) -> dict[str, str]:
        """Returns a tag for each parameter that several boxes use."""
        users: dict[str, set[str]] = {}
        for name, ops in self.ops.items():
            for op in ops:
                for each in self.net.parameters[op.name]:
                    users.setdefault(each.name, set()).add(label[name])
        shared = [name for name, boxes in users.items() if len(boxes) > 1]
        return {name: f"shared {i + 1}" for i, name in enumerate(shared)}

    def _box(self, name: str, tags: Mapping[str, str]) -> Box:
        ops = self.ops[name]
        types = Counter(op.type for op in ops if op.type not in (*PLACEHOLDERS, OUTPUT))
        lines = [", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in types.most_common(MAX_LINES))]
        if len(types) > MAX_LINES:
            lines[0] += ", ..."
        own = {each.name: each for op in ops for each in self.net.parameters[op.name]}
        lines += _parameter_lines(name, sorted(own.values(), key=lambda each: each.name not in tags), tags)
        last = ops[-1]
        if last.has_output:
            lines.append(f"{last.dtype} {format_shape(last.sizes)}")
        flags = tuple(dict.fromkeys(flag for op in ops for flag in self.net.flags[op.name]))
        return Box(name, tuple(line for line in lines if line), self._kind(name), flags)


def _parameter_lines(box: str, parameters: Sequence[Op], tags: Mapping[str, str]) -> list[str]:
    lines = []
    for each in parameters[:MAX_LINES]:
        tag = f" ({tags[each.name]})" if each.name in tags else ""
        lines.append(f"{each.name.removeprefix(f'{box}/').split('/')[-1]} {format_shape(each.sizes)}{tag}")
    more = len(parameters) - MAX_LINES
    return [*lines, f"and {more} more parameters"] if more > 0 else lines
