"""Marks on the axis of epochs: checkpoints, resumes, rollbacks and the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.report.epoch_rows import EpochRows
from trainer.report.run_status import BestValue
from trainer.runs.run_info import RunInfo

CHECKPOINT, RESUME, ROLLBACK, BEST = "checkpoint", "resume", "rollback", "best"

MAX_MARKS = 150
"""Max number of marks of a kind: more could not be told apart."""


@dataclass(frozen=True)
class Mark:
    """Mark of an event.

    Args:
        kind: ``checkpoint``, ``resume``, ``rollback`` or ``best``.
        epoch: Place on the axis of epochs.
    """

    kind: str
    epoch: float


def marks_of(info: RunInfo, rows: EpochRows, saved: Sequence[float], best: BestValue | None) -> tuple[Mark, ...]:
    """Returns the marks of a run; of many of a kind, some that are spread evenly.

    Args:
        info: Content of ``run.json``.
        rows: Rows of the run, which say how long an epoch is.
        saved: Epochs of the checkpoints that are there.
        best: Best epoch, or None.

    Example:
        >>> marks_of(RunInfo(), EpochRows(), [3.0, 1.0], None)
        (Mark(kind='checkpoint', epoch=1.0), Mark(kind='checkpoint', epoch=3.0))
    """
    starts = [rows.epoch_of(entry.global_step) for entry in info.history[1:]]
    resumes = [float(entry.epoch) if at is None else at for entry, at in zip(info.history[1:], starts, strict=True)]
    rollbacks = [at for entry in info.rollbacks if (at := rows.epoch_of(entry.step - 1)) is not None]
    places = {
        CHECKPOINT: saved,
        RESUME: resumes,
        ROLLBACK: rollbacks,
        BEST: [best.epoch] if best else [],
    }
    return tuple(Mark(kind, epoch) for kind, epochs in places.items() for epoch in spread(epochs))


def spread(epochs: Sequence[float], limit: int = MAX_MARKS) -> list[float]:
    """Returns different epochs in order, of too many every nth.

    Example:
        >>> spread([3, 1, 1, 2, 5, 4], limit=3)
        [1, 3, 5]
    """
    distinct = sorted(set(epochs))
    return distinct[:: -(-len(distinct) // limit)] if distinct else []
