"""Number of steps in the next call into the graph: pure decisions over plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from trainer.schedule import Schedule

MAX_SECS_PER_CALL = 1.0
"""Limit on the seconds of a call, which cannot be interrupted: a signal is noticed after it at the latest."""

GROWTH_PER_CALL = 10
"""Limit on the growth of a call over the longest before it, while the rate is not yet known well."""


@dataclass(frozen=True)
class RunLength:
    """Length of a run.

    Args:
        epochs: Epochs to complete, counted from the first start of the run.
        steps_per_epoch: Number of updates in each epoch.
    """

    epochs: int
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        """The global step at which the run is complete."""
        return self.epochs * self.steps_per_epoch

    def epoch_at(self, global_step: int) -> int:
        """Returns the number of completed epochs at ``global_step``."""
        return global_step // self.steps_per_epoch


@dataclass(frozen=True)
class CallLimit:
    """Limit on the steps of a call, learnt from the calls so far.

    The number of steps in a call never changes a result, so a clock may decide it.

    Args:
        steps_per_call: Fixed limit, or None to learn one.
        max_steps: Greatest number of steps that the graph takes in one call.
        longest: Number of steps of the longest call so far; 0 before the first.
        secs_per_step: Seconds of a step in the last calls; 0 before the first.
    """

    steps_per_call: int | None
    max_steps: int
    longest: int = 0
    secs_per_step: float = 0.0

    def limit(self, secs_until_due: float) -> int:
        """Returns the limit for the next call, at least 1.

        Args:
            secs_until_due: Seconds until a callback is due by the clock; inf where none is.
        """
        if self.steps_per_call is not None:
            return min(self.steps_per_call, self.max_steps)
        if self.longest == 0:
            return 1
        secs = min(MAX_SECS_PER_CALL, max(secs_until_due, 0.0))
        affordable = secs / self.secs_per_step if self.secs_per_step > 0 else self.max_steps
        return max(1, int(min(affordable, self.longest * GROWTH_PER_CALL, self.max_steps)))

    def updated(self, steps: int, secs: float) -> CallLimit:
        """Returns the limit after one more call, of ``steps`` steps in ``secs`` seconds.

        A slower call counts at once, a faster one by half: the first calls compile, and a bound
        that is too low for a moment costs less than a call that is too long.
        """
        rate = secs / steps
        if 0 < rate < self.secs_per_step:
            rate = (rate + self.secs_per_step) / 2
        return replace(self, longest=max(steps, self.longest), secs_per_step=rate)


def next_stop(global_step: int, length: RunLength, schedules: Iterable[Schedule], limit: int) -> int:
    """Returns the global step at which the next call ends: the nearest due point within the limit.

    Args:
        global_step: Global step now; less than ``length.total_steps``.
        length: Length of the whole run.
        schedules: Schedules of all callbacks.
        limit: Greatest number of steps in the call.
    """
    due = (schedule.next_step(global_step, length.steps_per_epoch) for schedule in schedules)
    return min([global_step + limit, length.total_steps, *(step for step in due if step is not None)])
