"""Parts of a net that are one box each, without circles between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from trainer.inspection.graphs import strong_components
from trainer.inspection.net import Net

MAX_ADDITIONS = 2
"""Maximum number of residual additions of a scope that are boxes of their own; a scope with more is a whole stack."""


def reads_between(net: Net, boxes: Mapping[str, str]) -> dict[str, set[str]]:
    """Returns the boxes that each box reads.

    Args:
        net: Net.
        boxes: Box of each op.
    """
    found: dict[str, set[str]] = {box: set() for box in boxes.values()}
    for name, inputs in net.reads.items():
        found[boxes[name]].update(boxes[each] for each in inputs)
    return {box: read - {box} for box, read in found.items()}


def part_additions(
    net: Net, boxes: Mapping[str, str], additions: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, str], set[str]]:
    """Returns the box of each op with residual additions apart from their branches, and the additions that are apart.

    What follows an addition in its scope without parameters, such as an activation, is in its box.

    Args:
        net: Net.
        boxes: Box of each op.
        additions: Additions, and the two values that each adds.
    """
    counts = Counter(boxes[name] for name in additions)
    sizes = Counter(boxes.values())
    found = dict(boxes)
    apart = set()
    readers: dict[str, list[str]] = defaultdict(list)
    for name, inputs in net.reads.items():
        for each in inputs:
            readers[each].append(name)
    for name, (first, second) in additions.items():
        if counts[boxes[name]] > MAX_ADDITIONS or name in net.outputs:
            continue
        if sizes[boxes[name]] > 1:
            found[name] = _name_of_addition(net, name, sizes)
            after = readers[name]
            while len(after) == 1 and _follows(net, after[0], boxes[name] == boxes[after[0]]):
                found[after[0]] = found[name]
                after = readers[after[0]]
        apart.add(name)
        if found[first] == found[second] and counts[found[first]] <= MAX_ADDITIONS:
            _part_branches(net, found, first, second)
    return found, apart


def _follows(net: Net, name: str, same_scope: bool) -> bool:
    return same_scope and len(net.reads[name]) == 1 and not net.parameters[name] and name not in net.outputs


def _name_of_addition(net: Net, name: str, taken: Mapping[str, int]) -> str:
    """Returns the name of the box: that of a scope in which there is nothing else."""
    scope = name.rpartition("/")[0]
    alone = scope and sum(each.startswith(f"{scope}/") for each in net.reads) == 1
    chosen = scope if alone else name
    return chosen if chosen not in taken else f"{chosen} (addition)"


def close_helpers(net: Net, boxes: Mapping[str, str]) -> dict[str, str]:
    """Returns the box of each op, with parts of layers closed, such as the random numbers of a dropout.

    A part is a scope without parameters that is in a circle with the scope around it.
    """
    used = {boxes[name] for name, parameters in net.parameters.items() if parameters}
    closed: dict[str, str] = {}
    for circle in strong_components(reads_between(net, boxes)):
        for box in circle if len(circle) > 1 else ():
            around = [each for each in circle if box.startswith(f"{each}/")]
            if around and box not in used:
                closed[box] = max(around, key=len)
    for box in closed:
        while closed[box] in closed:
            closed[box] = closed[closed[box]]
    return {name: closed.get(box, box) for name, box in boxes.items()}


def _part_branches(net: Net, boxes: dict[str, str], first: str, second: str) -> None:
    """Parts a box in what only one of two values needs, what only the other needs, and the rest."""
    box = boxes[first]
    needs = [_needed_within(net, boxes, each) for each in (first, second)]
    for i, own in enumerate((needs[0] - needs[1], needs[1] - needs[0])):
        if own and len(own) < sum(each == box for each in boxes.values()):
            boxes.update(dict.fromkeys(own, f"{box}\0{first}\0{i}"))


def _needed_within(net: Net, boxes: Mapping[str, str], end: str) -> set[str]:
    seen, waiting = {end}, [end]
    while waiting:
        for name in net.reads[waiting.pop()]:
            if name not in seen and boxes[name] == boxes[end]:
                seen.add(name)
                waiting.append(name)
    return seen


def without_circles(net: Net, boxes: Mapping[str, str]) -> dict[str, str]:
    """Returns the box of each op, with boxes split such that none depends on itself through another one.

    A box in a circle is split where its ops are reached again from outside: two of its ops stay together only if no
    path between them leaves the part. One box after the other is split and contracted, so the graph of what is
    contracted already and of the single ops stays without circles.
    """
    found = dict(boxes)
    circles = [each for each in strong_components(reads_between(net, boxes)) if len(each) > 1]
    for circle in circles:
        members = set(circle)
        # Ops of these boxes are single, all others are contracted.
        current = {name: f"{name}\0op" if box in members else box for name, box in found.items()}
        for box in circle:
            own = {current[name]: name for name in net.reads if found[name] == box}
            parts = _convex_parts(reads_between(net, current), own)
            for unit, part in parts.items():
                name = own[unit]
                current[name] = box if part == 0 else f"{box}\0{part}"
        found = current
    return found


def _convex_parts(reads: Mapping[str, Iterable[str]], own: Mapping[str, str]) -> dict[str, int]:
    """Returns the part of each op of a box: how often a path to it has left the box and come back."""
    left: dict[str, tuple[int, bool]] = {}
    for component in strong_components(reads):
        for unit in component:
            before = [left[each] for each in reads[unit] if each in left]
            if unit in own:
                level = max((number + outside for number, outside in before), default=0)
                left[unit] = (level, False)
            else:
                # Outside, a path that has been in the box before counts once more when it comes back.
                reached = [(number, True) for number, _ in before if number >= 0]
                left[unit] = max(reached, default=(-1, True))
    return {unit: max(left[unit][0], 0) for unit in own}


def name_parts(net: Net, boxes: Mapping[str, str]) -> dict[str, str]:
    """Returns the boxes with numbers in the names of those that are parts of one scope, in order."""
    numbered: dict[str, dict[str, None]] = defaultdict(dict)
    for name in net.reads:
        numbered[boxes[name].partition("\0")[0]][boxes[name]] = None
    names = {}
    for scope, parts in numbered.items():
        for i, part in enumerate(parts):
            names[part] = scope if len(parts) == 1 else f"{scope} ({i + 1})"
    return {name: names[box] for name, box in boxes.items()}
