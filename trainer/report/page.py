"""The HTML file of a report: one file without scripts, fonts or links, in which every text of a run is escaped."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from trainer import __version__
from trainer.files import format_size
from trainer.report.charts import MAX_CHARTS, MAX_RUNS, Chart
from trainer.report.colours import DARK, LIGHT, STAND_INS, variables
from trainer.report.comparison import RunTable, number
from trainer.report.drawing import as_svg, draw_chart, draw_confusion, draw_scatter, drawing, new_figure, png_of_pixels
from trainer.report.labelled import CLASSES, NUMBER, ValidationSummary
from trainer.report.run_record import RunRecord
from trainer.report.run_status import shown_secs, shown_time
from trainer.report.svg import inline_svg

GROUNDS = (
    ("--ground", "#f4f6f9", "#0f1318"),
    ("--good", "#17643a", "#7be0a4"),
    ("--good-ground", "#dcf3e5", "#133322"),
    ("--bad-ink", "#a31515", "#ff9d9d"),
    ("--bad-ground", "#fde3e3", "#431a1a"),
    ("--warn", "#7a4d00", "#f4cd7c"),
    ("--warn-ground", "#fdf0d2", "#3d2f10"),
    ("--busy", "#134f9c", "#9cc6ff"),
    ("--busy-ground", "#e0edff", "#152c4a"),
)
"""Colours of the page by variable, in light and dark."""

CONFUSED = 5
"""Max number of pairs of classes that are named."""

LEAST_SHARE = 0.004
"""Smallest share of the time that is shown."""

MAX_ROWS = 60
"""Max number of rows in the tables of checkpoints, processes and rollbacks; the newest are shown."""


def render_page(runs: Sequence[RunRecord], charts: Sequence[Chart], comparison: RunTable | None, title: str) -> str:
    """Returns the HTML of a report on one run, or on several in comparison.

    Args:
        runs: Runs; only the first counts without a comparison.
        charts: Charts of curves.
        comparison: Table of several runs, or None.
        title: Title of the page.
    """
    folder = Path(__file__).parent
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((folder / "page.html.jinja").read_text(encoding="utf-8"))
    common = {
        "css": Markup((folder / "page.css").read_text(encoding="utf-8")),
        "light": {**variables(LIGHT), **{name: colour for name, colour, _ in GROUNDS}},
        "dark": {**variables(DARK), **{name: colour for name, _, colour in GROUNDS}},
        "title": title,
        "comparison": comparison,
        "charts": [_svg_of(chart, f"c{i}") for i, chart in enumerate(charts[:MAX_CHARTS])],
        "charts_left_out": max(0, len(charts) - MAX_CHARTS),
        "mark_kinds": {mark.kind for chart in charts for mark in chart.marks},
        "max_runs": MAX_RUNS,
        "number": number,
        "size": format_size,
        "footer": f"graph-trainer {__version__}, {runs[0].now.strftime('%Y-%m-%d %H:%M:%S %Z')}",
    }
    one = _of_several(runs) if comparison else _of_one(runs[0])
    return template.render(**common, **one)


def _svg_of(chart: Chart, name: str) -> Markup:
    with drawing(name):
        figure = new_figure(4.5, 2.55)
        draw_chart(figure.add_subplot(), chart, STAND_INS)
        return _markup(as_svg(figure), name, f"Curves of {chart.title}")


def _markup(svg: str, name: str, label: str) -> Markup:
    # matplotlib escapes the texts inside; nothing else in the picture is a user's.
    return Markup(inline_svg(svg, name, escape(label)))


def _of_several(runs: Sequence[RunRecord]) -> dict[str, Any]:
    return {"chip": None, "subtitle": f"{len(runs)} runs", "tiles": (), "best": "", "has_inside": False}


def _of_one(run: RunRecord) -> dict[str, Any]:
    info = run.info
    return {
        "chip": run.status,
        "has_inside": bool(run.rows.inside),
        "subtitle": _subtitle(run),
        "tiles": _tiles(run),
        "best": f"{run.best.metric} {number(run.best.value)} at epoch {number(run.best.epoch)}" if run.best else "",
        "time": _time(run),
        "summary": _summary(run.summary),
        "history": _history(run),
        "changes": [(name, changes) for name, changes in run.changes[-MAX_ROWS:] if changes],
        "rollbacks": [
            (each.to, number(each.step), number(each.rate_factor), each.reason) for each in info.rollbacks[-MAX_ROWS:]
        ],
        "artefacts": run.artefacts[-MAX_ROWS:],
        "environment": _environment(run),
        "configs": run.configs[-MAX_ROWS:],
    }


def _subtitle(run: RunRecord) -> str:
    epochs = "no epoch yet" if run.epoch is None else f"epoch {run.epoch:,}"
    if run.info.total_epochs is not None:
        epochs += f" of {run.info.total_epochs:,}"
    times = [shown_time(run.info.started), shown_time(run.info.ended)]
    when = f"{times[0]} to {times[1]}" if all(times) else times[0] or times[1]
    return " · ".join(filter(None, [epochs, when, str(run.path)]))


def _tiles(run: RunRecord) -> list[tuple[str, str, str]]:
    tiles = []
    if best := run.best:
        kept = (run.info.best_checkpoint or "").removeprefix("checkpoints/")
        beside = f", kept as {best.checkpoint}" if best.checkpoint else f"; best kept: {kept}" if kept else ", not kept"
        where = f"epoch {number(best.epoch)}{beside}"
        tiles.append((f"best {best.metric}", number(best.value), where))
    shown = [name for name in ("loss", "val_loss") if run.last(name) is not None]
    tiles += [(f"last {name}", number(run.last(name)), "") for name in shown]
    if run.secs is not None:
        count = len(run.info.history)
        tiles.append(("time", shown_secs(run.secs), f"{count} processes" if count > 1 else ""))
    if run.rate is not None:
        step = run.info.global_step
        tiles.append(("steps/s", number(round(run.rate, 1)), f"{step:,} steps" if step else ""))
    return tiles


def _time(run: RunRecord) -> list[tuple[str, list[dict[str, Any]]]]:
    last = {name: float(secs) for name, secs in (run.info.secs or {}).items() if isinstance(secs, int | float)}
    label = "last process" if len(run.info.history) > 1 else ""
    found = [(label, _shares(last)), ("all epochs together", _shares(run.rows.totals()))]
    return [(title, parts) for title, parts in found if parts]


def _shares(secs: Mapping[str, float]) -> list[dict[str, Any]]:
    total = sum(each for each in secs.values() if each > 0)
    return [
        {"name": name, "secs": shown_secs(each), "share": each / total, "percent": f"{each / total:.0%}"}
        for name, each in secs.items()
        if each > 0 and each >= LEAST_SHARE * total
    ]


def _history(run: RunRecord) -> list[tuple[str, ...]]:
    entries = run.info.history[-MAX_ROWS:]
    return [
        (
            entry.config or "?",
            f"{entry.status}: {entry.error}" if entry.error else entry.status,
            shown_time(entry.started).removesuffix(" UTC"),
            shown_time(entry.ended).removesuffix(" UTC"),
            number(entry.epoch),
            number(entry.global_step),
            "; ".join(entry.changes),
            " ".join(entry.overrides),
        )
        for entry in entries
    ]


def _environment(run: RunRecord) -> list[tuple[str, str]]:
    info = run.info
    hosts = dict.fromkeys(entry.host for entry in info.history if entry.host)
    compiled = f"{info.compile}: {info.compile_reason}" if info.compile_reason else info.compile
    exclusive = {
        "command": info.command,
        "host": ", ".join(hosts),
        "compile": compiled,
        "seed": None if info.seed is None else str(info.seed),
        **info.versions,
    }
    return [(name, str(value)) for name, value in exclusive.items() if value]


def _summary(summary: ValidationSummary) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": summary.kind, "note": summary.note.rstrip("."), "examples": summary.examples}
    shown |= {"epoch": summary.epoch, "errors": summary.errors}
    with drawing("summary"):
        if summary.kind == CLASSES and summary.confusion is not None:
            figure = new_figure(4.5, 4.2)
            draw_confusion(figure.add_subplot(), summary.confusion, STAND_INS)
            return {**shown, **_of_classes(summary), "picture": _markup(as_svg(figure), "summary", "Confusion matrix")}
        if summary.kind == NUMBER:
            figure = new_figure(4.5, 4.2)
            draw_scatter(figure.add_subplot(), summary, STAND_INS)
            shown["picture"] = _markup(as_svg(figure), "summary", "Predicted against true numbers")
    return shown


def _of_classes(summary: ValidationSummary) -> dict[str, Any]:
    confusion: Any = summary.confusion
    hits, wrong = int(confusion.trace()), confusion.copy()
    wrong[range(len(wrong)), range(len(wrong))] = 0
    order = wrong.ravel().argsort(kind="stable")[::-1][:CONFUSED]
    pairs = [divmod(int(place), len(wrong)) for place in order]
    return {
        "hits": hits,
        "share": f"{hits / max(summary.examples, 1):.1%}",
        "confused": [f"{true} as {other} ({wrong[true, other]:,})" for true, other in pairs if wrong[true, other]],
        "worst": _worst(summary),
    }


def _worst(summary: ValidationSummary) -> list[dict[str, Any]]:
    if summary.images is None:
        return []
    beside: Any = summary
    return [
        {
            "png": base64.b64encode(png_of_pixels(pixels)).decode(),
            "truth": int(beside.truth[i]),
            "predicted": int(beside.predicted[i]),
            "probability": f"{max(float(beside.probability[i]), 0.0):.1%}",
            "index": int(beside.index[i]),
        }
        for i, pixels in enumerate(summary.images)
    ]
