"""The PNG of a report: its charts on one sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from trainer.report.charts import Chart
from trainer.report.colours import LIGHT
from trainer.report.drawing import as_png, draw_chart, draw_confusion, draw_scatter, drawing, new_figure
from trainer.report.labelled import CLASSES, NUMBER, ValidationSummary

COLUMNS = 3
DPI = 110
MAX_DRAWN = 12
"""Max number of charts on the sheet."""


def draw_overview(title: str, charts: Sequence[Chart], summary: ValidationSummary | None) -> bytes:
    """Returns a PNG with the charts of a report.

    Args:
        title: Line at the top.
        charts: Charts of curves; the first ones are drawn.
        summary: Summary of the validation part, or None.
    """
    pictures: list[Callable[[Any], None]] = [partial(_chart_on, chart=chart) for chart in charts[:MAX_DRAWN]]
    if summary is not None and summary.kind:
        pictures.append(partial(_summary_on, summary=summary))
    rows = max(1, -(-len(pictures) // COLUMNS))
    with drawing("overview"):
        figure = new_figure(4.4 * COLUMNS, 2.7 * rows + 0.4, LIGHT)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold", color=LIGHT.ink)
        grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in grid[len(pictures) :]:
            axes.set_axis_off()
        for axes, picture in zip(grid, pictures, strict=False):
            picture(axes)
        if not pictures:
            grid[0].text(0, 0.5, "no epoch is complete yet", color=LIGHT.soft)
        return as_png(figure, DPI)


def _chart_on(axes: Any, chart: Chart) -> None:
    draw_chart(axes, chart, LIGHT)


def _summary_on(axes: Any, summary: ValidationSummary) -> None:
    if summary.kind == CLASSES:
        draw_confusion(axes, summary.confusion, LIGHT)
        axes.set_title("confusion matrix", loc="left", fontsize=8, weight="bold")
    elif summary.kind == NUMBER:
        draw_scatter(axes, summary, LIGHT)
        axes.set_title("predicted and true", loc="left", fontsize=8, weight="bold")
