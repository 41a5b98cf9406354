"""Retention policy for checkpoints: a pure function of their commit records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trainer.checkpoints.record import CommitRecord, best_first
from trainer.checks import check_choice, check_int, check_optional_int, check_optional_number


@dataclass(frozen=True)
class Retention:
    """Retention policy; a checkpoint is kept if any rule selects it.

    Args:
        max_to_keep: Number of most recent checkpoints to keep; 0 or None keeps all.
        keep_checkpoint_every_n_hours: Hours of training, over all processes of a run; the first
            checkpoint saved after each such span is kept in addition.
        keep_best: Number of best checkpoints by ``monitor`` to keep in addition.
        monitor: Metric that decides which checkpoint is the best.
        mode: ``min`` or ``max``, the end of the metric that is best.
        pinned: Numbers of checkpoints that are never removed.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is out of range.
    """

    max_to_keep: int | None = 5
    keep_checkpoint_every_n_hours: float | None = None
    keep_best: int = 0
    monitor: str = "loss"
    mode: str = "min"
    pinned: Collection[int] = ()

    def __post_init__(self) -> None:
        check_optional_int("max_to_keep", self.max_to_keep, minimum=0)
        check_optional_number("keep_checkpoint_every_n_hours", self.keep_checkpoint_every_n_hours, above=0)
        check_int("keep_best", self.keep_best, minimum=0)
        for number in self.pinned:
            check_int("pinned", number, minimum=0)
        check_choice("mode", self.mode, ("min", "max"))


def kept(records: Sequence[CommitRecord], policy: Retention) -> set[str]:
    """Returns the names of the checkpoints that are kept.

    The newest is always kept. A second call on the kept checkpoints keeps all of them: the first
    checkpoint of a span of hours is never removed, so earlier decisions need not be remembered.

    Args:
        records: Records of all committed checkpoints, in any order.
        policy: Retention policy.
    """
    ordered = sorted(records, key=lambda r: r.global_step)
    if not policy.max_to_keep:
        return {r.name for r in ordered}
    hourly = _first_of_each_span(ordered, policy.keep_checkpoint_every_n_hours)
    rotating = [r.name for r in ordered if r.name not in hourly or r is ordered[-1]]
    best = best_first(ordered, policy.monitor, policy.mode)[: policy.keep_best]
    pinned = {r.name for r in ordered if r.number in policy.pinned}
    return {*rotating[-policy.max_to_keep :], *hourly, *(r.name for r in best), *pinned}


def _first_of_each_span(ordered: Sequence[CommitRecord], hours: float | None) -> set[str]:
    if hours is None:
        return set()
    first: dict[int, str] = {}
    for record in ordered:
        span = int(record.trained_secs // (hours * 3600))
        if span >= 1:
            first.setdefault(span, record.name)
    return set(first.values())
