"""Comparison of runs: a table of what differs, the best run first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainer.report.epoch_rows import groups_of
from trainer.report.run_record import RunRecord
from trainer.report.run_status import shown_secs

MAX_SETTINGS = 12
"""Max number of settings in the table; those that differ in most runs come first."""


@dataclass(frozen=True)
class ComparedRun:
    """Row of the table.

    Args:
        run: Run.
        label: Shortest name that tells it from the others.
        cells: Texts of the columns.
    """

    run: RunRecord
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Table of runs.

    Args:
        headers: Headers of the columns.
        rows: Rows, the best first.
        left_out: Number of settings that differ and have no column.
        numbers: Places of the columns that hold numbers.
    """

    headers: tuple[str, ...]
    rows: tuple[ComparedRun, ...]
    left_out: int
    numbers: tuple[int, ...]


def compare_runs(runs: Sequence[RunRecord]) -> Comparison:
    """Returns the table of runs.

    The metric of the best value is that of most runs. Runs without a value come last.

    Args:
        runs: Runs to compare.
    """
    labels = dict(zip(map(id, runs), labels_of(runs), strict=True))
    ordered = sorted(runs, key=_rank(runs))
    settings = differing([each.settings for each in runs])
    software = differing([{**each.info.versions, "compile": each.info.compile or ""} for each in runs])
    shown = settings[:MAX_SETTINGS]
    metrics = [name for names in groups_of([n for run in runs for n in run.rows.names]).values() for name in names]
    metrics = list(dict.fromkeys(metrics))[:6]
    headers = ["run", "status", "epoch", "best", "at epoch", *metrics, "steps/s", "time", *shown, *software]
    rows = []
    for run in ordered:
        best = run.best
        cells = [
            labels[id(run)],
            run.status.word,
            number(run.epoch),
            f"{best.metric} {number(best.value)}" if best else "",
            number(best.epoch) if best else "",
            *(number(run.last(name)) for name in metrics),
            number(run.rate),
            shown_secs(run.secs),
            *(run.settings.get(key, "-") for key in shown),
            *({**run.info.versions, "compile": run.info.compile or ""}.get(key, "-") for key in software),
        ]
        rows.append(ComparedRun(run, labels[id(run)], tuple(cells)))
    numbers = (2, 4, *range(5, 7 + len(metrics)))
    return Comparison(tuple(headers), tuple(rows), max(0, len(settings) - MAX_SETTINGS), numbers)


def _rank(runs: Sequence[RunRecord]) -> Callable[[RunRecord], tuple[bool, float]]:
    metrics = [run.best.metric for run in runs if run.best]
    metric = max(metrics, key=metrics.count, default="")

    def key(run: RunRecord) -> tuple[bool, float]:
        if run.best is None or run.best.metric != metric:
            return True, math.inf
        return False, -run.best.value if run.best.mode == "max" else run.best.value

    return key


def labels_of(runs: Sequence[RunRecord]) -> list[str]:
    """Returns names that tell runs apart: that of the run, or the parts of their paths that differ."""
    names = [run.name for run in runs]
    if len({*names}) == len(names):
        return names
    parts = [run.path.resolve().parts for run in runs]
    shared = 0
    while all(len(each) > shared + 1 for each in parts) and len({each[shared] for each in parts}) == 1:
        shared += 1
    return ["/".join(each[shared:]) for each in parts]


def differing(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Returns the keys whose values differ between mappings, those with most values first.

    Example:
        >>> differing([{"a": "1", "b": "x"}, {"a": "2", "b": "x"}, {"a": "3", "b": "y"}])
        ['a', 'b']
    """
    keys = dict.fromkeys(key for each in settings for key in each)
    counts = {key: len({each.get(key) for each in settings}) for key in keys}
    return sorted((key for key in keys if counts[key] > 1), key=lambda key: -counts[key])


def number(value: float | None) -> str:
    """Returns a number for the user: whole ones with separators, others with four digits; "" for None.

    Example:
        >>> number(12345), number(0.123456), number(38211.7), number(None), number(float("nan"))
        ('12,345', '0.1235', '38,212', '', '-')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
