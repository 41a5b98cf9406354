"""Choice of the name scopes that a picture opens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.inspection.net import Net

MIN_SIBLINGS = 12
"""Number of scopes side by side from which those with a common beginning, such as ``block_2_``, count as one scope."""

NUMBERED = re.compile(r"\d+(?=_)")
"""End of a beginning that scopes may have in common."""

DIGITS = re.compile(r"\d+")

Path = tuple[str, ...]
"""Name scopes of an op from the outermost one, each by its full name."""


def scopes_at_depth(net: Net, depth: int) -> dict[str, str]:
    """Returns the box of each op if a number of levels of scopes are open; an op without a scope is its own."""
    return {name: path[:depth][-1] if path[:depth] else name for name, path in _paths(net).items()}


def scopes_within(net: Net, budget: int, repeated: bool = False) -> dict[str, str]:
    """Returns the box of each op if as many scopes are open as a number of boxes allows, the largest first.

    Scopes that differ only in numbers are opened together.

    Args:
        net: Net.
        budget: Number of boxes; there are more if there are more ops without a scope.
        repeated: Whether boxes whose names differ only in numbers count as one.
    """
    paths = _with_beginnings(_paths(net))
    depths = dict.fromkeys(paths, 1)
    tried: set[str] = set()
    while True:
        boxes = {name: path[: depths[name]][-1] if path else name for name, path in paths.items()}
        closed: dict[str, list[str]] = {}
        for name, path in paths.items():
            if len(path) > depths[name]:
                closed.setdefault(DIGITS.sub("#", boxes[name]), []).append(name)
        candidates = [pattern for pattern in closed if pattern not in tried]
        if not candidates:
            return boxes
        pattern = max(candidates, key=lambda each: len(closed[each]))
        tried.add(pattern)
        inside = set(closed[pattern])
        kept = {box for name, box in boxes.items() if name not in inside}
        wanted = kept | {paths[name][depths[name]] for name in inside}
        if len({DIGITS.sub("#", each) for each in wanted} if repeated else wanted) <= budget:
            for name in inside:
                depths[name] += 1


def _paths(net: Net) -> dict[str, Path]:
    """Returns the scopes of each op; inputs and outputs are in none."""
    names = {op.name for op in net.ops}
    paths = {}
    for op in net.ops:
        alone = op.name in net.outputs or op.type in PLACEHOLDERS
        parts = [] if alone else [part for part in name_scope_of(op.name, names).split("/") if part]
        paths[op.name] = tuple("/".join(parts[: i + 1]) for i in range(len(parts)))
    return paths


def name_scope_of(name: str, names: Collection[str]) -> str:
    """Returns the name scope of an op; helper ops named below another op belong to that op's scope.

    Example:
        >>> name_scope_of("dense/MatMul/cast", ["dense/MatMul"])
        'dense'
    """
    scope = name.rpartition("/")[0]
    return name_scope_of(scope, names) if scope in names else scope


def _with_beginnings(paths: Mapping[str, Path]) -> dict[str, Path]:
    """Returns the paths with a level for each beginning that several of many scopes side by side have in common."""
    children: dict[str, dict[str, None]] = {}
    for path in paths.values():
        for parent, child in zip(("", *path), path, strict=False):
            children.setdefault(parent, {})[child] = None
    levels: dict[str, Path] = {}
    for parent, scopes in children.items():
        levels.update({scope: (scope,) for scope in scopes})
        if len(scopes) >= MIN_SIBLINGS:
            levels.update(_levels(list(scopes), len(parent) + 1 if parent else 0))
    return {name: tuple(level for scope in path for level in levels[scope]) for name, path in paths.items()}


def _levels(scopes: Sequence[str], start: int) -> dict[str, Path]:
    beginnings = {scope: [scope[: each.end()] for each in NUMBERED.finditer(scope, start)] for scope in scopes}
    common = Counter(each for found in beginnings.values() for each in found)
    return {
        scope: (*(f"{each}_*" for each in found if 1 < common[each] < len(scopes)), scope)
        for scope, found in beginnings.items()
    }
