"""Charts drawn by matplotlib, on axes that the caller makes."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from trainer.report.charts import DASHED, FAINT, Chart, Line
from trainer.report.colours import CURVES, Palette
from trainer.report.labelled import ValidationSummary
from trainer.report.marks import BEST, CHECKPOINT, RESUME, ROLLBACK

SETTINGS: Mapping[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "path.simplify": True,
    "axes.unicode_minus": False,
}
"""Settings of matplotlib; names of metrics are text, not formulas."""

FEW_POINTS = 25
"""Number of points of a curve up to which each has a dot."""

MAX_CELLS = 26
"""Classes up to which each cell of a confusion matrix has its number."""


@contextlib.contextmanager
def drawing(salt: str) -> Iterator[None]:
    """Sets matplotlib up for a picture, whatever a user's matplotlibrc says.

    Args:
        salt: Salt of the identifiers in an SVG, which makes the file the same each time.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        # Names may hold letters that the font has not; they appear in the page, by another font.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        for name, value in SETTINGS.items():
            mpl.rcParams[name] = value
        mpl.rcParams["svg.hashsalt"] = salt
        yield


def new_figure(width: float, height: float, palette: Palette | None = None) -> Figure:
    """Returns a figure, transparent without a palette.

    Args:
        width: Width in inches.
        height: Height in inches.
        palette: Palette whose paper it is drawn on, or None.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_facecolor(palette.paper if palette else "none")
    return figure


def as_svg(figure: Figure) -> str:
    """Returns a figure as the text of an SVG file."""
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def as_png(figure: Figure, dpi: int) -> bytes:
    """Returns a figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": "graph-trainer"})
    return content.getvalue()


def png_of_pixels(pixels: Any) -> bytes:
    """Returns an image, uint8 [height, width, channels], as the bytes of a PNG file."""
    content = io.BytesIO()
    imsave(content, np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels, format="png")
    return content.getvalue()


def draw_chart(axes: Any, chart: Chart, palette: Palette) -> None:
    """Draws a chart.

    Args:
        axes: Axes to draw on.
        chart: Chart to draw.
        palette: Colours.
    """
    _frame(axes, palette)
    for line in chart.lines:
        _draw_line(axes, line, palette)
    if chart.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_xlabel("epoch", color=palette.soft, fontsize=7)
    axes.set_title(f"{chart.title}, log scale" if chart.is_log else chart.title, loc="left", fontsize=8, weight="bold")
    axes.title.set_color(palette.ink)
    axes._left_title.set_color(palette.ink)
    _draw_marks(axes, chart, palette)
    _add_legend(axes, chart, palette)


def tick(value: float) -> str:
    """Returns the label of a tick.

    Example:
        >>> tick(20000), tick(1.5e6), tick(0.25), tick(1e-05), tick(-300.0), tick(0.0)
        ('20k', '1.5M', '0.25', '1e-05', '-300', '0')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size <= abs(value) < 1e12:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"
    return f"{value:.4g}"


def _frame(axes: Any, palette: Palette) -> None:
    axes.set_facecolor("none")
    axes.grid(visible=True, color=palette.line, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=palette.soft, labelsize=7, length=2, width=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(palette.soft)
        spine.set_linewidth(0.6)


def _draw_line(axes: Any, line: Line, palette: Palette) -> None:
    colour = palette.curves[line.colour % CURVES]
    is_faint = line.look == FAINT
    few = len(line.curve.finite) <= FEW_POINTS and not is_faint
    axes.plot(
        line.curve.epochs,
        line.curve.values,
        color=colour,
        linewidth=0.7 if is_faint else 1.3,
        alpha=0.55 if is_faint else 1.0,
        linestyle=(0, (4, 2)) if line.look == DASHED else "solid",
        marker="o" if few else "",
        markersize=2.2,
    )


def _draw_marks(axes: Any, chart: Chart, palette: Palette) -> None:
    places = {
        kind: [mark.epoch for mark in chart.marks if mark.kind == kind] for kind in (CHECKPOINT, RESUME, ROLLBACK)
    }
    across = axes.get_xaxis_transform()
    for kind, colour, dashes in ((RESUME, palette.soft, (3, 2)), (ROLLBACK, palette.bad, (1, 1.5))):
        axes.vlines(places[kind], 0, 1, colors=colour, linewidth=0.9, linestyles=[(0, dashes)], transform=across)
    if saved := places[CHECKPOINT]:
        axes.plot(saved, [0.025] * len(saved), "^", color=palette.soft, markersize=3.2, transform=across, clip_on=False)
    if chart.best and any(mark.kind == BEST for mark in chart.marks):
        look = {"markersize": 10, "markeredgewidth": 0.6, "zorder": 5}
        axes.plot(*([each] for each in chart.best), "*", color=palette.ink, markeredgecolor=palette.paper, **look)


def _add_legend(axes: Any, chart: Chart, palette: Palette) -> None:
    named = [(line, axes.lines[i]) for i, line in enumerate(chart.lines) if line.label]
    if not named:
        return
    # A label that begins with an underscore would be left out.
    labels = [f"\N{ZERO WIDTH SPACE}{line.label}" for line, _ in named]
    place = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.99), "borderaxespad": 0.2}
    look = {"frameon": False, "fontsize": 7, "handlelength": 1.2, "columnspacing": 1.0, "handletextpad": 0.4}
    if len(named) > 3:
        place = {"loc": "best"}
    legend = axes.legend([drawn for _, drawn in named], labels, ncols=min(len(named), 3), **place, **look)
    for text in legend.get_texts():
        text.set_color(palette.ink)


def draw_confusion(axes: Any, confusion: Any, palette: Palette) -> None:
    """Draws a confusion matrix; each row is coloured by its shares.

    Args:
        axes: Axes to draw on.
        confusion: Number of examples by true and predicted class, int64 [classes, classes].
        palette: Colours.
    """
    count = len(confusion)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    _frame(axes, palette)
    axes.grid(visible=False)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    if count <= MAX_CELLS:
        _draw_cells(axes, confusion, shares, palette)
    else:
        colours = LinearSegmentedColormap.from_list("shares", [(0.3, 0.55, 0.95, 0.0), (0.3, 0.55, 0.95, 1.0)])
        axes.imshow(np.sqrt(shares), cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=min(count, MAX_CELLS), integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=min(count, MAX_CELLS), integer=True))
    axes.set_xlabel("predicted class", color=palette.soft, fontsize=7)
    axes.set_ylabel("true class", color=palette.soft, fontsize=7)


def _draw_cells(axes: Any, confusion: Any, shares: Any, palette: Palette) -> None:
    count = len(confusion)
    size = min(8.0, 80.0 / count)
    for true in range(count):
        for predicted in range(count):
            if not confusion[true, predicted]:
                continue
            share, colour = shares[true, predicted], palette.curves[0 if true == predicted else 1]
            place = (predicted - 0.46, true - 0.46)
            alpha = 0.12 + 0.88 * share
            axes.add_patch(Rectangle(place, 0.92, 0.92, facecolor=colour, alpha=alpha, linewidth=0))
            text = palette.paper if alpha > 0.6 else palette.ink
            number = str(confusion[true, predicted])
            axes.text(predicted, true, number, ha="center", va="center", fontsize=size, color=text)


def draw_scatter(axes: Any, summary: ValidationSummary, palette: Palette) -> None:
    """Draws predicted against true numbers, with the line on which they are equal.

    Args:
        axes: Axes to draw on.
        summary: Summary of the validation part.
        palette: Colours.
    """
    _frame(axes, palette)
    points = summary.points if summary.points is not None else np.zeros((0, 2))
    points = points[np.isfinite(points).all(axis=1)]
    if len(points):
        ends = [float(points.min()), float(points.max())]
        axes.plot(ends, ends, color=palette.soft, linewidth=0.8, linestyle=(0, (3, 2)))
        axes.plot(
            points[:, 0], points[:, 1], "o", color=palette.curves[0], markersize=1.8, alpha=0.6, markeredgewidth=0
        )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_xlabel("true", color=palette.soft, fontsize=7)
    axes.set_ylabel("predicted", color=palette.soft, fontsize=7)
