"""Layout of boxes and arrows by grandalf; needs the extra ``graph``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout, VertexViewer

from trainer.inspection.geometry import GAP, MAX_WIDTH, Point

SWEEPS = 12
"""Sweeps of grandalf's ordering; each reduces the number of crossings."""

LINE_WIDTH = 2
"""Width in pixels that an arrow takes where it passes a layer of boxes, besides the gaps."""

STUB = 10
"""Pixels of an arrow that stand upright below and above a box."""

Arranged = tuple[dict[str, Point], list[list[Point]]]


def arrange(sizes: Mapping[str, Point], edges: Sequence[tuple[str, str]]) -> Arranged:
    """Returns the centre of each box and the points of each arrow, in layers from top to bottom.

    Arrows pass layers upright between boxes, and go sideways only between layers. Parts of the graph that are not
    connected stand side by side, in as many rows as ``MAX_WIDTH`` needs.

    Args:
        sizes: Width and height of each box by name.
        edges: Pairs of names, from and to; without circles.

    References:
        K. Sugiyama, S. Tagawa, M. Toda: Methods for Visual Understanding of Hierarchical System
        Structures, IEEE Transactions on Systems, Man and Cybernetics 11(2), 1981.
    """
    vertices = {name: Vertex(name) for name in sizes}
    for name, vertex in vertices.items():
        vertex.view = VertexViewer(*sizes[name])
    lines_between = [Edge(vertices[a], vertices[b]) for a, b in edges]
    x = y = row_height = 0.0
    centres: dict[str, Point] = {}
    lines: list[list[Point]] = []
    for component in sorted(Graph(list(vertices.values()), lines_between).C, key=lambda each: -each.order()):
        placed, arrows, (width, height) = _arranged(component)
        if x and x + width > MAX_WIDTH - 2 * GAP:
            x, y, row_height = 0.0, y + row_height + GAP, 0.0
        centres |= {name: (a + x, b + y) for name, (a, b) in placed.items()}
        lines += [[(a + x, b + y) for a, b in arrow] for arrow in arrows]
        x, row_height = x + width + GAP, max(row_height, height)
    return {name: centres[name] for name in sizes}, lines


def _arranged(component: Any) -> tuple[dict[str, Point], list[list[Point]], Point]:
    """Returns the boxes and arrows of a connected graph, from the point (0, 0), and its size."""
    layout = SugiyamaLayout(component)
    layout.xspace = layout.yspace = GAP
    layout.init_all(optimize=True)
    for layer in layout.layers:
        for vertex in layer:
            if layout.grx[vertex].dummy:
                vertex.view.w = LINE_WIDTH
    layout.draw(SWEEPS)
    xs, right = _places(layout.layers)
    tops, y = [], 0.0
    for layer in layout.layers:
        tops.append(y)
        y += max(_height(layout, vertex) for vertex in layer) + _gap(layer)
    bottoms = [
        top + max(_height(layout, vertex) for vertex in layer) for top, layer in zip(tops, layout.layers, strict=True)
    ]
    middles = [(top + bottom) / 2 for top, bottom in zip(tops, bottoms, strict=True)]
    centres = {vertex.data: (xs[vertex], middles[layout.grx[vertex].rank]) for vertex in component.sV}
    arrows = _arrows(layout, xs, list(zip(tops, bottoms, strict=True)), middles)
    return centres, arrows, (right, bottoms[-1])


def _height(layout: Any, vertex: Any) -> float:
    return 0.0 if layout.grx[vertex].dummy else float(vertex.view.h)


def _gap(layer: Sequence[Any]) -> float:
    """Returns the pixels below a layer: more below many boxes, where arrows would be flat."""
    return GAP + min(6.0 * (len(layer) - 1), 60)


def _places(layers: Sequence[Sequence[Any]]) -> tuple[dict[Any, float], float]:
    """Returns the centre of each box and of each passing arrow, from 0 and none on another, and the right end."""
    xs = {}
    for layer in layers:
        ordered = sorted(layer, key=lambda vertex: vertex.view.xy[0])
        end = None
        for vertex in ordered:
            half = vertex.view.w / 2
            x = vertex.view.xy[0] if end is None else max(vertex.view.xy[0], end + GAP / 2 + half)
            xs[vertex], end = x, x + half
    left = min(x - vertex.view.w / 2 for vertex, x in xs.items())
    return {vertex: x - left for vertex, x in xs.items()}, max(x + v.view.w / 2 for v, x in xs.items()) - left


def _arrows(layout: Any, xs: Mapping[Any, float], rows: Sequence[Point], middles: Sequence[float]) -> list[list[Point]]:
    """Returns the points of each arrow; those of a box leave and reach it side by side."""
    paths = []
    for edge in layout.g.sE:
        start, end = edge.v
        first, last = layout.grx[start].rank, layout.grx[end].rank
        between = [layout.ctrls[edge][rank] for rank in range(first + 1, last)] if last - first > 1 else []
        paths.append((start, [start, *between, end], end))
    leave = _ports([(start, xs[path[1]], path) for start, path, _ in paths], xs)
    reach = _ports([(end, xs[path[-2]], path) for _, path, end in paths], xs)
    arrows = []
    for i, (start, path, end) in enumerate(paths):
        first, last = layout.grx[start].rank, layout.grx[end].rank
        arrow = [(leave[i], middles[first] + start.view.h / 2), (leave[i], rows[first][1] + STUB / 2)]
        for rank, vertex in zip(range(first + 1, last), path[1:-1], strict=True):
            arrow += [(xs[vertex], rows[rank][0] - STUB / 2), (xs[vertex], rows[rank][1] + STUB / 2)]
        arrow += [(reach[i], rows[last][0] - STUB), (reach[i], middles[last] - end.view.h / 2)]
        arrows.append(arrow)
    return arrows


def _ports(ends: Sequence[tuple[Any, float, Any]], xs: Mapping[Any, float]) -> list[float]:
    """Returns where on its box each arrow begins or ends, in the order of where the arrows go."""
    of_box: dict[Any, list[int]] = {}
    for i, (vertex, _, _) in enumerate(ends):
        of_box.setdefault(vertex, []).append(i)
    found = [0.0] * len(ends)
    for vertex, own in of_box.items():
        own.sort(key=lambda i: ends[i][1])
        room = min(vertex.view.w - 16, 16.0 * (len(own) - 1))
        for place, i in enumerate(own):
            found[i] = xs[vertex] + (room * (place / (len(own) - 1) - 0.5) if len(own) > 1 else 0.0)
    return found
