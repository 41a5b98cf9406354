"""Limits on the length of a run besides its epochs: a number of steps, and seconds of a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trainer.callback import Callback, Context
from trainer.checks import check_optional_int, check_optional_number
from trainer.schedule import Schedule

if TYPE_CHECKING:
    from trainer.state import RunState


class Limit(Callback):
    """Ends the run in good order after a number of steps, or pauses it after some seconds.

    A run at its limit of steps is finished, and goes on with a higher one. A run at its limit of seconds has the
    status ``interrupted``: it is saved and exported, its exit code is 0, and the same command with ``resume=auto``
    goes on for as long again.

    Args:
        max_steps: Number of updates of the variables, counted from the first start of the run, or None.
        max_secs: Seconds of training in one process, exports not included, or None.
        clock: Function that returns monotonic seconds.

    Raises:
        TypeError, ValueError: A value is not a positive number.

    Example:
        >>> Limit(max_steps=1000).schedule
        Schedule(every_n_epochs=None, every_n_steps=1000, every_n_secs=None)
    """

    def __init__(
        self,
        *,
        max_steps: int | None = None,
        max_secs: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_steps = check_optional_int("max_steps", max_steps, minimum=1)
        self._max_secs = check_optional_number("max_secs", max_secs, above=0)
        self.schedule = Schedule(every_n_steps=max_steps, every_n_secs=max_secs)
        self._clock = clock

    def on_train_begin(self, context: Context) -> None:
        """Starts the clock; a run that is beyond its limit of steps ends at once."""
        self._began = self._clock()
        self._stop_after_steps(context)

    def on_step_end(self, context: Context) -> None:
        """Ends or pauses the run."""
        self._stop_after_steps(context)
        if self._max_secs is not None and self._clock() - self._began >= self._max_secs:
            context.request_stop(f"{self._max_secs:g} s are over (max_secs)", pause=True)

    def _stop_after_steps(self, context: Context) -> None:
        if self._max_steps is not None and context.record.global_step >= self._max_steps:
            context.request_stop(f"{context.record.global_step:,} steps are done (max_steps is {self._max_steps:,})")

    def goes_on_with(self, state: Mapping[str, Any], record: RunState) -> str | None:
        """Returns the number of steps that is needed, or None if there are some left."""
        over = self._max_steps is not None and record.global_step >= self._max_steps
        return f"max_steps above {record.global_step}" if over else None
