"""Layout of boxes and arrows by grandalf; needs the extra ``graph``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout, VertexViewer
from grandalf.routing import EdgeViewer, route_with_lines

from trainer.inspection.geometry import GAP, Point

SWEEPS = 12
"""Sweeps of grandalf's ordering; each reduces the number of crossings."""


def arrange(sizes: Mapping[str, Point], edges: Sequence[tuple[str, str]]) -> tuple[dict[str, Point], list[list[Point]]]:
    """Returns the centre of each box and the points of each arrow, in layers from top to bottom.

    Args:
        sizes: Width and height of each box by name.
        edges: Pairs of names, from and to.

    References:
        K. Sugiyama, S. Tagawa, M. Toda: Methods for Visual Understanding of Hierarchical System
        Structures, IEEE Transactions on Systems, Man and Cybernetics 11(2), 1981.
    """
    vertices = {name: Vertex(name) for name in sizes}
    for name, vertex in vertices.items():
        vertex.view = VertexViewer(*sizes[name])
    lines_between = [Edge(vertices[a], vertices[b]) for a, b in edges]
    for edge in lines_between:
        edge.view = EdgeViewer()
    offset = 0.0
    centres: dict[str, Point] = {}
    lines: list[list[Point]] = []
    for component in Graph(list(vertices.values()), lines_between).C:
        placed = SugiyamaLayout(component)
        placed.xspace = placed.yspace = GAP
        placed.init_all(optimize=True)
        placed.route_edge = route_with_lines
        placed.draw(SWEEPS)
        members = list(component.sV)
        left = min(each.view.xy[0] - each.view.w / 2 for each in members)
        shift = offset - left
        centres |= {each.data: (each.view.xy[0] + shift, each.view.xy[1]) for each in members}
        lines += [_arrow(edge, shift) for edge in component.sE]
        offset += max(each.view.xy[0] + each.view.w / 2 for each in members) - left + GAP
    return {name: centres[name] for name in sizes}, lines


def _arrow(edge: Any, shift: float) -> list[Point]:
    points: Sequence[Point] = edge.view._pts
    return [(x + shift, y) for x, y in points]
