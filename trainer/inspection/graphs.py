"""Order and circles of a graph; no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def strong_components(reads: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Returns the sets of nodes that depend on each other, each set after those that it reads.

    Args:
        reads: Names of nodes to the nodes that they read; unknown names are skipped.

    References:
        R. Tarjan: Depth-First Search and Linear Graph Algorithms, SIAM Journal on Computing 1(2), 1972.

    Example:
        >>> strong_components({"y": ["x", "z"], "z": ["y"], "x": []})
        [['x'], ['z', 'y']]
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: dict[str, None] = {}
    found = []
    for start in reads:
        if start in number:
            continue
        path = [(start, iter(reads[start]))]
        number[start] = lowest[start] = len(number)
        open_nodes[start] = None
        while path:
            node, inputs = path[-1]
            for name in inputs:
                if name not in reads:
                    continue
                if name not in number:
                    number[name] = lowest[name] = len(number)
                    open_nodes[name] = None
                    path.append((name, iter(reads[name])))
                    break
                if name in open_nodes:
                    lowest[node] = min(lowest[node], number[name])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    found.append(_closed(open_nodes, node))
    return found


def _closed(open_nodes: dict[str, None], last: str) -> list[str]:
    """Takes the nodes of a component from those that are open."""
    component: list[str] = []
    while not component or component[-1] != last:
        component.append(open_nodes.popitem()[0])
    return component
