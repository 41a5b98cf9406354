"""SVG picture of a graph, inputs at the top; the layout is grandalf's."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from trainer import inspection
from trainer.errors import RequestError
from trainer.inspection.boxes import Box, Boxes, boxes_of
from trainer.inspection.geometry import GAP, Point
from trainer.inspection.ops import ops_of
from trainer.inspection.static import StaticModel

COLOURS = {"input": "#dbeafe", "output": "#dcfce7", "scope": "#f3f4f6", "op": "#ffffff"}
LINE_HEIGHT, LETTER_WIDTH, PADDING = 15, 6.7, 9
"""Sizes in pixels; the width is that of a letter in a monospaced font of 11 pixels."""


def draw(model: StaticModel, depth: int | None = None) -> str:
    """Returns an SVG picture of the inference part, top to bottom.

    Args:
        model: Model with known outputs.
        depth: Levels of name scopes to open; None for as many as ``MAX_BOXES`` allows.

    Raises:
        RequestError: The outputs are not known, or grandalf is not installed.
    """
    if model.part is None:
        likely = f"; likely: {', '.join(model.likely)}" if model.likely else ""
        raise RequestError(f"{model.path} does not declare its outputs; name them{likely}", argument="outputs")
    return svg(boxes_of(ops_of(model), list(model.part.outputs.values()), depth), model.path.name)


def svg(drawn: Boxes, title: str) -> str:
    """Returns boxes and arrows as SVG.

    Args:
        drawn: Boxes and edges to draw.
        title: Title of the picture.

    Raises:
        RequestError: The package grandalf is not installed.

    Example:
        >>> boxes = {"x": Box("x", ("float32 [?]",), "input"), "y": Box("y", ("Neg",), "output")}
        >>> svg(Boxes(boxes, (("x", "y"),)), "minus").count("<polyline")
        1
    """
    sizes = {name: _size(box) for name, box in drawn.boxes.items()}
    try:
        centres, lines = inspection.arrange(sizes, drawn.edges)
    except ImportError as error:
        raise RequestError(f"a picture needs grandalf ({error}): pip install 'graph-trainer[graph]'") from error
    left = min(x - sizes[name][0] / 2 for name, (x, _) in centres.items()) - GAP
    top = min(y - sizes[name][1] / 2 for name, (_, y) in centres.items()) - GAP
    right = max(x + sizes[name][0] / 2 for name, (x, _) in centres.items()) + GAP
    bottom = max(y + sizes[name][1] / 2 for name, (_, y) in centres.items()) + GAP
    xs = [x for line in lines for x, _ in line]
    left, right = min([left, *xs]), max([right, *xs])
    width, height = right - left, bottom - top
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "viewBox": f"{left:.1f} {top:.1f} {width:.1f} {height:.1f}",
            "font-family": "monospace",
            "font-size": "11",
        },
    )
    ElementTree.SubElement(root, "title").text = title
    _add_arrowhead(root)
    _rect(root, left, top, width, height, {"fill": "#ffffff"})
    for line in lines:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        look = {"points": points, "fill": "none", "stroke": "#6b7280", "marker-end": "url(#arrow)"}
        ElementTree.SubElement(root, "polyline", look)
    for name, box in drawn.boxes.items():
        _add_box(root, box, centres[name], sizes[name])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _size(box: Box) -> tuple[float, float]:
    longest = max(len(text) for text in (box.name, *box.lines))
    return longest * LETTER_WIDTH + 2 * PADDING, (1 + len(box.lines)) * LINE_HEIGHT + 2 * PADDING


def _add_arrowhead(root: Any) -> None:
    look = {"id": "arrow", "viewBox": "0 0 8 8", "refX": "8", "refY": "4", "orient": "auto"}
    marker = ElementTree.SubElement(
        ElementTree.SubElement(root, "defs"), "marker", {**look, "markerWidth": "8", "markerHeight": "8"}
    )
    ElementTree.SubElement(marker, "path", {"d": "M0,0 L8,4 L0,8 z", "fill": "#6b7280"})


def _rect(parent: Any, x: float, y: float, width: float, height: float, look: dict[str, str]) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    ElementTree.SubElement(parent, "rect", {**place, **look})


def _add_box(root: Any, box: Box, centre: Point, size: tuple[float, float]) -> None:
    group = ElementTree.SubElement(root, "g")
    ElementTree.SubElement(group, "title").text = box.name
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    _rect(group, x, y, *size, {"rx": "6", "fill": COLOURS[box.kind], "stroke": "#374151"})
    for i, text in enumerate((box.name, *box.lines)):
        place = {"x": f"{centre[0]:.1f}", "y": f"{y + PADDING + (i + 0.75) * LINE_HEIGHT:.1f}", "text-anchor": "middle"}
        look = {"font-weight": "bold"} if i == 0 else {"fill": "#4b5563"}
        ElementTree.SubElement(group, "text", {**place, **look}).text = text
