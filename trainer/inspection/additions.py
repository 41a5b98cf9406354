"""Additions of two branches of a net: residual connections."""

from __future__ import annotations

from collections.abc import Mapping

from trainer.inspection.net import Net
from trainer.inspection.ops import Op

ADDITIONS = ("Add", "AddV2", "AddN")
"""Ops that add."""

MAX_BRANCH = 2_000
"""Maximum number of ops of a branch that are looked at."""


def residual_additions(net: Net) -> dict[str, tuple[str, str]]:
    """Returns the additions of a branch to what it began with, or to another branch, and what each adds.

    A branch has parameters, or both come from other scopes than that of the addition and have the same shape: so
    the additions within a normalization or an activation are none.
    """
    ops = {op.name: op for op in net.ops}
    places = {name: i for i, name in enumerate(ops)}
    found = {}
    for op in net.ops:
        read = net.reads[op.name]
        if op.type not in ADDITIONS or len(read) != 2:
            continue
        first, second = sorted(read, key=places.__getitem__)
        if _alike(ops[first], ops[second]) and (
            _is_skip(net, places, first, second) or _joins_scopes(op, ops[first], ops[second])
        ):
            found[op.name] = (first, second)
    return found


def _alike(first: Op, second: Op) -> bool:
    """True if two values may have the same shape, of two axes or more."""
    if first.sizes is None or second.sizes is None:
        return True
    pairs = zip(first.sizes, second.sizes, strict=False)
    return len(first.sizes) == len(second.sizes) > 1 and all(a == b or None in (a, b) for a, b in pairs)


def _is_skip(net: Net, places: Mapping[str, int], start: str, end: str) -> bool:
    """True if one value is computed from the other by ops with parameters."""
    seen, waiting, reached = {end}, [end], False
    while waiting and len(seen) < MAX_BRANCH:
        for name in net.reads[waiting.pop()]:
            reached = reached or name == start
            if name not in seen and places[name] > places[start]:
                seen.add(name)
                waiting.append(name)
    return reached and any(net.parameters[name] for name in seen)


def _joins_scopes(op: Op, first: Op, second: Op) -> bool:
    scope = op.name.rpartition("/")[0]
    ranks = [len(each.sizes or ()) for each in (first, second)]
    return min(ranks) > 2 and scope not in (first.name.rpartition("/")[0], second.name.rpartition("/")[0])
