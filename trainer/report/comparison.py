"""Comparison of runs: a table of what differs, the best run first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainer.report.epoch_rows import metric_groups
from trainer.report.run_record import RunRecord
from trainer.report.run_status import shown_secs

MAX_SETTINGS, MAX_METRICS, MAX_TOLD = 12, 6, 3
"""Max numbers of settings and metrics in the table, and of settings in a legend; those with most values come first."""

COLUMNS = ("run", "status", "best", "epoch", "time")


@dataclass(frozen=True)
class ComparedRun:
    """Row of the table.

    Args:
        run: Run.
        label: Name and settings that tell it from the others.
        cells: Texts of the columns.
    """

    run: RunRecord
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class RunTable:
    """Table of runs.

    Args:
        headers: Headers of the columns.
        rows: Rows, the best first.
        left_out: Number of settings that differ and have no column.
        numbers: Headers of the columns that hold numbers.
    """

    headers: tuple[str, ...]
    rows: tuple[ComparedRun, ...]
    left_out: int
    numbers: frozenset[str]


def compare_runs(runs: Sequence[RunRecord]) -> RunTable:
    """Returns the table of runs.

    The metric of the best value is that of most runs. Runs without a value come last.

    Args:
        runs: Runs to compare.
    """
    names = dict(zip(map(id, runs), labels_of(runs), strict=True))
    settings, software = differing([run.settings for run in runs]), differing([_software(run) for run in runs])
    shown = short_keys(settings[:MAX_SETTINGS])
    grouped = metric_groups([name for run in runs for name in run.rows.names])
    metrics = [name for members in grouped.values() for name in members][:MAX_METRICS]
    rows = []
    for run in sorted(runs, key=_rank(runs)):
        own = {short: run.settings.get(key, "-") for key, short in shown.items()}
        best = run.best
        columns = {
            "run": names[id(run)],
            **own,
            "status": run.status.word,
            "best": f"{best.metric} {number(best.value)}" if best else "",
            "at epoch": number(best.epoch) if best else "",
            "epoch": number(run.epoch),
            **{f"last {name}": number(run.last(name)) for name in metrics},
            "steps/s": number(run.rate),
            "time": shown_secs(run.secs),
            **{key: _software(run).get(key, "-") for key in software},
        }
        told = ", ".join([names[id(run)], *(f"{key} {value}" for key, value in list(own.items())[:MAX_TOLD])])
        rows.append(ComparedRun(run, told, tuple(columns.values())))
    headers = tuple(columns)
    numbers = {"at epoch", "epoch", "steps/s", "time", *(name for name in headers if name.startswith("last "))}
    return RunTable(headers, tuple(rows), len(settings) - len(shown), frozenset(numbers))


def _software(run: RunRecord) -> Mapping[str, str]:
    return {**{name: str(each) for name, each in run.info.versions.items()}, "compile": run.info.compile or "-"}


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Returns the last parts of dotted keys, or the whole key where two have the same.

    Example:
        >>> short_keys(["optimizer.learning_rate", "model.units", "data.units"])
        {'optimizer.learning_rate': 'learning_rate', 'model.units': 'model.units', 'data.units': 'data.units'}
    """
    ends = [key.rpartition(".")[2] for key in keys]
    return {
        key: end if ends.count(end) == 1 and end not in COLUMNS else key for key, end in zip(keys, ends, strict=True)
    }


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
