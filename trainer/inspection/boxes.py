"""Reduction of a net to boxes: one box for each name scope, with the parameters that it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.inspection.additions import residual_additions
from trainer.inspection.net import LOOP, Net
from trainer.inspection.ops import OUTPUT, Op
from trainer.inspection.partition import close_helpers, name_parts, part_additions, reads_between, without_circles
from trainer.inspection.scopes import scopes_at_depth, scopes_within
from trainer.inspection.siblings import repeated, slices
from trainer.predict.tensor_info import format_shape

MAX_BOXES = 60
"""Maximum number of boxes in a readable picture; name scopes are opened up to this limit."""

MAX_ASKED = 300
"""Maximum number of boxes if a number of levels is asked for; grandalf arranges them in seconds."""

MAX_LINES = 4
"""Maximum number of parameters, and of types of ops, in a box."""

MIN_REPEATED = 3
"""Number of similar boxes side by side from which they are one."""

LOOPS = (LOOP, "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase")
"""Types of ops that are named first in a box."""

MAX_GROUPED = 1_500
"""Maximum number of boxes among which those that repeat are looked for."""

BUDGETS = (MAX_BOXES, 50, 40, 30, 20, 12, 5)
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


def candidates(net: Net, depth: int | None = None) -> Iterator[Boxes]:
    """Yields the boxes of a net, fewer each time: repeated ones are grouped, then scopes closed.

    Ops that depend on no input are constant; they are shown as parameters of the boxes that use them.

    Args:
        net: Net.
        depth: Levels of name scopes to open first; None for as many as ``MAX_BOXES`` allows.
    """
    additions = residual_additions(net)
    for boxes, groupings, most in _levels(net, depth):
        parted, apart = part_additions(net, close_helpers(net, boxes), additions)
        drawing = _Drawing(net, name_parts(net, without_circles(net, parted)), apart)
        for by_name in groupings if len(drawing.ops) <= MAX_GROUPED else ():
            found = drawing.grouped(by_name)
            if len(found.boxes) <= most:
                yield found
    inner = [op.name for op in net.ops if op.type not in PLACEHOLDERS and op.name not in net.outputs]
    rest = {op.name: op.name for op in net.ops}
    for count in SLICES:
        yield _Drawing(net, without_circles(net, {**rest, **slices(inner, count)}), frozenset()).grouped(False, 2)


def _levels(net: Net, depth: int | None) -> Iterator[tuple[dict[str, str], Sequence[bool | None], int]]:
    """Yields the box of each op, how repeated boxes are grouped (by name, None for not at all), and the limit."""
    every = (None, True, False)
    if depth is None:
        yield scopes_within(net, MAX_BOXES), (None,), MAX_BOXES
        yield scopes_within(net, MAX_BOXES, repeated=True), (True,), MAX_BOXES
    else:
        yield scopes_at_depth(net, depth), every, MAX_ASKED
        for less in range(depth - 1, 0, -1):
            yield scopes_at_depth(net, less), every, MAX_BOXES
    for budget in BUDGETS:
        yield scopes_within(net, budget), every, MAX_BOXES


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
            label.update(dict.fromkeys(group, _name_of_group(group[0], group[-1])))
        members: dict[str, list[str]] = {}
        for name in self.ops:
            members.setdefault(label[name], []).append(name)
        tags = self._shared(label)
        boxes = {name: self._box(each[0], tags) for name, each in members.items()}
        for name, each in members.items():
            if len(each) > 1:
                lines = (f"x {len(each)}", *boxes[name].lines)
                boxes[name] = replace(boxes[name], name=name, lines=lines, members=tuple(each))
        places = {name: i for i, name in enumerate(self.ops)}
        read = [(each, name) for name in self.ops for each in sorted(reads[name], key=places.__getitem__)]
        edges = {(label[each], label[name]): None for each, name in read}
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
        common = sorted(types.most_common(), key=lambda each: each[0] not in LOOPS)[:MAX_LINES]
        lines = [", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in common)]
        if len(types) > MAX_LINES:
            lines[0] += ", ..."
        own = {each.name: each for op in ops for each in self.net.parameters[op.name]}
        lines += _parameter_lines(name, sorted(own.values(), key=lambda each: each.name not in tags), tags)
        last = ops[-1]
        if last.has_output:
            lines.append(f"{last.dtype} {format_shape(last.sizes)}".removeprefix("? "))
        flags = tuple(dict.fromkeys(flag for op in ops for flag in self.net.flags[op.name]))
        return Box(name, tuple(line for line in lines if line), self._kind(name), flags)


def _name_of_group(first: str, last: str) -> str:
    """Returns the first and the last name, the last without a scope that is that of the first."""
    scope = first.rpartition("/")[0]
    return f"{first} … {last.removeprefix(f'{scope}/') if scope else last}"


def _parameter_lines(box: str, parameters: Sequence[Op], tags: Mapping[str, str]) -> list[str]:
    counts: Counter[str] = Counter()
    for each in parameters:
        tag = f" ({tags[each.name]})" if each.name in tags else ""
        counts[f"{each.name.removeprefix(f'{box}/').split('/')[-1]} {format_shape(each.sizes)}{tag}"] += 1
    lines = [f"{text} x{n}" if n > 1 else text for text, n in counts.items()]
    more = sum(list(counts.values())[MAX_LINES:])
    return [*lines[:MAX_LINES], f"and {more} more parameters"] if more else lines
