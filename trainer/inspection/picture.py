"""SVG picture of a graph, inputs at the top; the layout is grandalf's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from trainer import inspection
from trainer.errors import RequestError
from trainer.graphdef.flags import flag_defaults
from trainer.inspection.boxes import Box, Boxes, candidates
from trainer.inspection.geometry import GAP, MAX_WIDTH, Point
from trainer.inspection.net import net_of
from trainer.inspection.ops import ops_of
from trainer.inspection.static import StaticModel

COLOURS = {"input": "#dbeafe", "output": "#dcfce7", "scope": "#f3f4f6", "op": "#ffffff", "addition": "#fef3c7"}
LINE_HEIGHT, LETTER_WIDTH, PADDING = 15, 6.7, 9
"""Sizes in pixels; the width is that of a letter in a monospaced font of 11 pixels."""

MAX_LETTERS = 52
"""Maximum number of letters in a line; a longer one is cut in its middle, and a tooltip has the whole name."""


def draw(model: StaticModel, depth: int | None = None) -> str:
    """Returns an SVG picture of the inference part, top to bottom, at most ``MAX_WIDTH`` pixels wide.

    Functions are drawn as what they compute. Boxes that repeat side by side are one box, and name scopes are closed,
    until the picture has that width.

    Args:
        model: Model with known outputs.
        depth: Levels of name scopes to open, fewer in a picture that is too wide; None for as many as fit.

    Raises:
        RequestError: The outputs are not known, or grandalf is not installed.
    """
    if model.part is None:
        likely = f"; likely: {', '.join(model.likely)}" if model.likely else ""
        raise RequestError(f"{model.path} does not declare its outputs; name them{likely}", argument="outputs")
    operations, outputs = ops_of(model)
    net = net_of(operations, outputs, flag_defaults(model.graph_def))
    picture = None
    for drawn in candidates(net, depth):
        picture = _picture(drawn, model.path.resolve().name)
        if float(picture.attrib["width"]) <= MAX_WIDTH:
            break
    return _text(picture)


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
    return _text(_picture(drawn, title))


def _text(picture: Any) -> str:
    ElementTree.indent(picture)
    return ElementTree.tostring(picture, encoding="unicode") + "\n"


def _picture(drawn: Boxes, title: str) -> Any:
    shown = {name: _shortened(box) for name, box in drawn.boxes.items()}
    sizes = {name: _size(box) for name, box in shown.items()}
    try:
        centres, lines = inspection.arrange(sizes, drawn.edges)
    except ImportError as error:
        raise RequestError(f"a picture needs grandalf ({error}): pip install 'graph-trainer[graph]'") from error
    xs = [x + side * sizes[name][0] / 2 for name, (x, _) in centres.items() for side in (-1, 1)]
    ys = [y + side * sizes[name][1] / 2 for name, (_, y) in centres.items() for side in (-1, 1)]
    xs += [x for line in lines for x, _ in line]
    left, top = min(xs, default=0.0) - GAP, min(ys, default=0.0) - GAP
    width, height = max(xs, default=0.0) + GAP - left, max(ys, default=0.0) + GAP - top
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
        look = {"points": points, "fill": "none", "stroke": "#6b7280", "stroke-linejoin": "round"}
        ElementTree.SubElement(root, "polyline", {**look, "marker-end": "url(#arrow)"})
    for name, box in shown.items():
        _add_box(root, box, drawn.boxes[name], centres[name], sizes[name])
    return root


def _shortened(box: Box) -> Box:
    return replace(box, name=_short(box.name), lines=tuple(map(_short, box.lines)), flags=tuple(map(_short, box.flags)))


def _short(text: str) -> str:
    half = (MAX_LETTERS - 1) // 2
    return text if len(text) <= MAX_LETTERS else f"{text[:half]}…{text[-half:]}"


def _texts(box: Box) -> Sequence[str]:
    return (box.name, *box.lines, *box.flags)


def _size(box: Box) -> tuple[float, float]:
    longest = max(len(text) for text in _texts(box))
    return longest * LETTER_WIDTH + 2 * PADDING, len(_texts(box)) * LINE_HEIGHT + 2 * PADDING


def _add_arrowhead(root: Any) -> None:
    look = {"id": "arrow", "viewBox": "0 0 8 8", "refX": "8", "refY": "4", "orient": "auto"}
    marker = ElementTree.SubElement(
        ElementTree.SubElement(root, "defs"), "marker", {**look, "markerWidth": "8", "markerHeight": "8"}
    )
    ElementTree.SubElement(marker, "path", {"d": "M0,0 L8,4 L0,8 z", "fill": "#6b7280"})


def _rect(parent: Any, x: float, y: float, width: float, height: float, look: dict[str, str]) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    ElementTree.SubElement(parent, "rect", {**place, **look})


def _add_box(root: Any, box: Box, whole: Box, centre: Point, size: tuple[float, float]) -> None:
    group = ElementTree.SubElement(root, "g")
    ElementTree.SubElement(group, "title").text = "\n".join(whole.members or (whole.name,))
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    _rect(group, x, y, *size, {"rx": "6", "fill": COLOURS[box.kind], "stroke": "#374151"})
    for i, text in enumerate(_texts(box)):
        place = {"x": f"{centre[0]:.1f}", "y": f"{y + PADDING + (i + 0.75) * LINE_HEIGHT:.1f}", "text-anchor": "middle"}
        look = {"fill": "#4b5563"} if i <= len(box.lines) else {"fill": "#1d4ed8", "font-style": "italic"}
        ElementTree.SubElement(group, "text", {**place, **({"font-weight": "bold"} if i == 0 else look)}).text = text
