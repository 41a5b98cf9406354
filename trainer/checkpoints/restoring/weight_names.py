"""Weights of a Keras model found under their names in a file, whatever numbers Keras counted on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

COUNTS = re.compile(r"(?:_\d+)*$")
"""Numbers at the end of a name: those that Keras counts layers with, over all nets of a process."""


def names_of_weights(wanted: Sequence[str], stored: Iterable[str]) -> dict[str, str]:
    """Returns the names in a file that stand for weights.

    Names that are all in the file are taken as they are. Else two names stand for the same weight if they differ only
    in the numbers that Keras counts its layers with, and if both sides have equally many such names; these are paired
    in the order of the numbers, the order in which the layers were made.

    Args:
        wanted: Paths of the weights.
        stored: Names in the file, others among them.

    Returns:
        Names in the file by path; paths that are not found are left out.

    Example:
        >>> names_of_weights(["net_3/dense_7/bias", "net_3/dense_8/bias"], {"net/dense/bias", "net/dense_1/bias"})
        {'net_3/dense_7/bias': 'net/dense/bias', 'net_3/dense_8/bias': 'net/dense_1/bias'}
    """
    stored = set(stored)
    if stored.issuperset(wanted):
        return {name: name for name in wanted}
    here, there = _by_role(wanted), _by_role(stored)
    pairs: dict[str, str] = {}
    for role, names in here.items():
        if len(names) == len(there.get(role, ())):
            pairs.update(zip(names, there[role], strict=True))
    return {name: pairs[name] for name in wanted if name in pairs}


def _by_role(names: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """Returns names by what is left without the numbers, each list in the order of the numbers."""
    roles = defaultdict(list)
    for name in names:
        roles[tuple(COUNTS.sub("", part) for part in name.split("/"))].append(name)
    return {role: sorted(each, key=_counts) for role, each in roles.items()}


def _counts(name: str) -> list[list[int]]:
    found = (COUNTS.search(part) for part in name.split("/"))
    return [[int(number) for number in match[0].split("_")[1:]] if match else [] for match in found]
