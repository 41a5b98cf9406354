"""Charts of one run or of several, as plain data: what is drawn, not how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.report.epoch_rows import (
    RATE,
    STEPS_PER_SEC,
    VAL,
    Curve,
    metric_groups,
    thinned,
    wants_log_scale,
)
from trainer.report.marks import BEST, Mark
from trainer.report.run_record import RunRecord

MAX_CHARTS = 24
MAX_RUNS = 20
"""Max numbers of charts in a report, and of runs in a chart."""

FEW_EPOCHS = 3
"""Number of epochs up to which a curve within epochs is not less than that of their means."""

SHOWN = 22
"""Letters of a label in a chart."""

SOLID, DASHED, FAINT = "solid", "dashed", "faint"


@dataclass(frozen=True)
class Line:
    """Curve in a chart.

    Args:
        label: Label in the legend; "" for none.
        curve: Values to draw.
        colour: Number of its colour.
        look: ``solid``, ``dashed`` or ``faint``.
    """

    label: str
    curve: Curve
    colour: int
    look: str = SOLID


@dataclass(frozen=True)
class Chart:
    """Chart of curves over epochs.

    Args:
        title: Title.
        lines: Curves to draw.
        marks: Marks on the axis of epochs.
        best: Best point, epoch and value, or None.
        is_log: Whether the scale of the values is logarithmic.
    """

    title: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    best: tuple[float, float] | None = None
    is_log: bool = False


def charts_of(run: RunRecord) -> list[Chart]:
    """Returns the charts of a run: losses, metrics with their validation twins, learning rate, steps per second."""
    names = run.rows.names
    rates = [name for name in names if name.startswith(RATE)]
    groups = {**metric_groups(names), **({"learning rate": rates} if rates else {})}
    if STEPS_PER_SEC in names:
        groups["steps/s"] = [STEPS_PER_SEC]
    charts = [_chart(title, members, run) for title, members in groups.items()]
    return [chart for chart in charts if any(line.curve.finite for line in chart.lines)]


def _chart(title: str, members: Sequence[str], run: RunRecord) -> Chart:
    lines = []
    for i, name in enumerate(members):
        look = FAINT if len(run.rows.whole) > FEW_EPOCHS else SOLID
        lines.append(Line("", thinned(run.rows.curve_inside(name)), i, look))
        lines.append(Line(_label(name, title) if len(members) > 1 else "", thinned(run.rows.curve(name)), i))
    best = run.best if run.best and run.best.metric in members else None
    return Chart(
        short(title),
        tuple(line for line in lines if line.curve.values),
        run.marks if best else tuple(mark for mark in run.marks if mark.kind != BEST),
        (best.epoch, best.value) if best else None,
        _is_log(title, lines),
    )


def _is_log(title: str, lines: Sequence[Line]) -> bool:
    values = [value for line in lines for value in line.curve.finite]
    return ("loss" in title or title == "learning rate") and wants_log_scale(values)


def _label(name: str, title: str) -> str:
    if name == title:
        return "training"
    if name == f"{VAL}{title}":
        return "validation"
    inner = name.removeprefix(VAL).removesuffix(f"_{title}").removeprefix(f"{RATE}_")
    return short(inner)


def short(text: str, limit: int = SHOWN) -> str:
    r"""Returns a text that fits a chart.

    Example:
        >>> short("a_rather_long_name_of_a_metric"), short("loss\u0007")
        ('a_rather_long_name_of…', 'loss?')
    """
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"


def charts_of_runs(runs: Sequence[RunRecord]) -> list[Chart]:
    """Returns the charts of several runs: one for each metric, with a curve for each run.

    Args:
        runs: Runs in the order of their colours.
    """
    shown = runs[:MAX_RUNS]
    names = list(dict.fromkeys(name for run in shown for name in run.rows.names))
    metrics = [name for members in metric_groups(names).values() for name in members]
    rates = [name for name in names if name.startswith(RATE)]
    others = [STEPS_PER_SEC] if STEPS_PER_SEC in names else []
    charts = []
    for name in dict.fromkeys([*metrics, *rates, *others]):
        lines = tuple(
            Line("", thinned(run.rows.curve(name)), i, SOLID if i < 10 else DASHED) for i, run in enumerate(shown)
        )
        title = "steps/s" if name == STEPS_PER_SEC else name
        charts.append(Chart(short(title), lines, is_log=_is_log(title, lines)))
    return [chart for chart in charts if any(line.curve.finite for line in chart.lines)]
