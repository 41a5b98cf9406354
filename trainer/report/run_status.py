"""Status of a run in words, times and the best value of its metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trainer.report.epoch_rows import EpochRows
from trainer.runs.history import HistoryEntry
from trainer.runs.run_info import RunInfo
from trainer.state import CheckpointSettings


@dataclass(frozen=True)
class RunStatus:
    """Status of a run.

    Args:
        word: ``finished``, ``stopped early``, ``failed``, ``interrupted``, ``killed``, ``running`` or ``unknown``.
        reason: Reason or error, or "".
        tone: ``good``, ``bad``, ``warn`` or ``busy``, for its colour.
    """

    word: str
    reason: str
    tone: str

    def __str__(self) -> str:
        return f"{self.word}: {self.reason}" if self.reason else self.word


def words_of_status(info: RunInfo, is_held: bool) -> RunStatus:
    """Returns the status of a run.

    Args:
        info: Content of ``run.json``.
        is_held: Whether a process holds the lock of the run.

    Example:
        >>> str(words_of_status(RunInfo(status="finished", stop_reason="loss is below 0.1"), is_held=False))
        'stopped early: loss is below 0.1'
        >>> str(words_of_status(RunInfo(status="running"), is_held=False))
        'killed'
    """
    if info.status == "finished":
        return RunStatus("stopped early" if info.stop_reason else "finished", info.stop_reason or "", "good")
    if info.status == "running":
        return RunStatus("running", "", "busy") if is_held else RunStatus("killed", "", "bad")
    if info.status in ("failed", "interrupted"):
        return RunStatus(info.status, info.error or "", "bad" if info.status == "failed" else "warn")
    return RunStatus(info.status or "unknown", "", "warn")


def time_of(text: str | None) -> datetime | None:
    """Returns the time that a text says; None for one that says none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def shown_time(text: str | None) -> str:
    """Returns a time for the user, in UTC as the files have it.

    Example:
        >>> shown_time("2026-11-27T18:53:17+00:00"), shown_time("soon")
        ('2026-11-27 18:53:17 UTC', '')
    """
    found = time_of(text)
    return found.strftime("%Y-%m-%d %H:%M:%S UTC") if found else ""


def shown_secs(secs: float | None) -> str:
    """Returns a duration for the user.

    Example:
        >>> shown_secs(0.31), shown_secs(75), shown_secs(3725), shown_secs(200_000), shown_secs(None)
        ('0.3 s', '1 min 15 s', '1 h 02 min', '2 d 07 h', '')
    """
    if secs is None or not math.isfinite(secs):
        return ""
    if secs < 60:
        return f"{secs:.1f} s"
    whole = round(secs)
    for size, unit, inner, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // inner:02} {small}"
    return f"{whole} s"


def worked_secs(info: RunInfo, now: datetime) -> float | None:
    """Returns the seconds of all processes of a run together; None where they are not known.

    Args:
        info: Content of ``run.json``; older runs have no history, and then the time since their start counts.
        now: Current time, for a process that still runs.
    """
    entries: Sequence[HistoryEntry] = info.history or [HistoryEntry(info.started or "", ended=info.ended)]
    spans = []
    for entry in entries:
        began, ended = time_of(entry.started), time_of(entry.ended)
        if began is not None and (ended is not None or entry is entries[-1]):
            spans.append(max(((ended or now) - began).total_seconds(), 0.0))
    if len(entries) == 1 and info.secs and info.status == "finished":
        return sum(secs for secs in info.secs.values() if isinstance(secs, int | float))
    return sum(spans) if spans else None


@dataclass(frozen=True)
class BestValue:
    """Best value of the metric that the run is judged by.

    Args:
        metric: Name of the metric.
        mode: ``min`` or ``max``, the end of the metric that is best.
        value: Value of the metric.
        epoch: Completed epochs when it was reached.
        checkpoint: Name of the checkpoint of that epoch, or "" where none is kept.
    """

    metric: str
    mode: str
    value: float
    epoch: float
    checkpoint: str = ""


def best_value(
    rows: EpochRows, savers: Sequence[CheckpointSettings], checkpoints: Sequence[tuple[str, float]]
) -> BestValue | None:
    """Returns the best value of the metric that the savers monitor, else of ``val_loss`` or ``loss``.

    Args:
        rows: Rows of the run.
        savers: Settings of the run's savers.
        checkpoints: Names of the checkpoints that are there, with their epochs.

    Example:
        >>> rows = EpochRows(({"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}, {"epoch": 3, "loss": None}))
        >>> best_value(rows, [], [("model-2", 2.0)])
        BestValue(metric='loss', mode='min', value=1.0, epoch=2.0, checkpoint='model-2')
    """
    keeping = [each for each in savers if each.keep_best] or list(savers)[:1]
    chosen = [(each.monitor, each.mode) for each in keeping if each.keep_best or each.monitor != "loss"]
    for metric, mode in [*chosen, ("val_loss", "min"), ("loss", "min")]:
        curve = rows.curve(metric)
        points = [(y, x) for x, y in zip(curve.epochs, curve.values, strict=True) if math.isfinite(y)]
        if points:
            sign = -1 if mode == "max" else 1
            names = {at: name for name, at in checkpoints}
            # Of equal values, the one that is kept is of more use.
            value, epoch = min(points, key=lambda point: (sign * point[0], point[1] not in names, point[1]))
            return BestValue(metric, mode, value, epoch, names.get(epoch, ""))
    return None
