"""Groups of boxes that repeat side by side, and of ops that follow each other, as one box each."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence

from trainer.inspection.graphs import strong_components

NUMBER = re.compile(r"_?\d+")


def repeated(
    reads: Mapping[str, set[str]], kind: Callable[[str], Hashable], by_name: bool, least: int
) -> list[list[str]]:
    """Returns the groups of boxes of one kind with the same kinds of boxes above and below them.

    The boxes of a group are equally far from the inputs, so nothing depends on itself when they are one box.

    Args:
        reads: Boxes that each box reads.
        kind: Kind of a box; only boxes of one kind are grouped.
        by_name: Whether the names of a group must be the same but for their numbers.
        least: Number of boxes from which a group is one.
    """
    order = [component[0] for component in strong_components(reads)]
    ranks: dict[str, int] = {}
    for name in order:
        ranks[name] = 1 + max((ranks[each] for each in reads[name]), default=-1)
    readers: dict[str, list[str]] = {name: [] for name in reads}
    for name, inputs in reads.items():
        for each in inputs:
            readers[each].append(name)
    colours = _numbered({name: (kind(name), NUMBER.sub("#", name) if by_name else "", ranks[name]) for name in order})
    while True:
        around = {
            name: (
                colours[name],
                frozenset(colours[each] for each in reads[name]),
                frozenset(colours[each] for each in readers[name]),
            )
            for name in order
        }
        finer = _numbered(around)
        if len(set(finer.values())) == len(set(colours.values())):
            break
        colours = finer
    groups: dict[int, list[str]] = {}
    for name in reads:
        groups.setdefault(colours[name], []).append(name)
    return [group for group in groups.values() if len(group) >= least]


def _numbered(values: Mapping[str, Hashable]) -> dict[str, int]:
    numbers: dict[Hashable, int] = {}
    return {name: numbers.setdefault(value, len(numbers)) for name, value in values.items()}


def slices(names: Sequence[str], count: int) -> dict[str, str]:
    """Returns the box of each op if ops that follow each other are one box.

    Args:
        names: Ops, each after those that it reads.
        count: Number of boxes.

    Example:
        >>> slices(["a", "b", "c"], 2)
        {'a': 'a … b', 'b': 'a … b', 'c': 'c'}
    """
    size = -(-len(names) // count)
    found = {}
    for start in range(0, len(names), size):
        part = names[start : start + size]
        found.update(dict.fromkeys(part, part[0] if len(part) == 1 else f"{part[0]} … {part[-1]}"))
    return found
