"""Schedules: plain data and arithmetic, no clock and no session."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.checks import check_optional_int, check_optional_number


@dataclass(frozen=True)
class Schedule:
    """Due points: each multiple of N epochs or N steps, and N seconds after the last time.

    Multiples count from the start of training, not from the start of the process, so a resumed
    run is due at the same steps as an uninterrupted one. Seconds count from ``on_train_begin``.

    Args:
        every_n_epochs: Epochs between two due points, or None.
        every_n_steps: Updates of the variables between two due points, or None.
        every_n_secs: Seconds between two due points by a monotonic clock, or None.

    Raises:
        TypeError, ValueError: A value is not a positive number.

    Example:
        >>> schedule = Schedule(every_n_epochs=2, every_n_steps=150)
        >>> schedule.next_step(global_step=0, steps_per_epoch=100)
        150
        >>> schedule.next_step(global_step=150, steps_per_epoch=100)
        200
        >>> schedule.is_due(200, steps_per_epoch=100, secs_since_last=0.0)
        True
    """

    every_n_epochs: int | None = None
    every_n_steps: int | None = None
    every_n_secs: float | None = None

    def __post_init__(self) -> None:
        check_optional_int("every_n_epochs", self.every_n_epochs, minimum=1)
        check_optional_int("every_n_steps", self.every_n_steps, minimum=1)
        check_optional_number("every_n_secs", self.every_n_secs, above=0)

    @property
    def is_never(self) -> bool:
        """True where nothing is scheduled."""
        return (self.every_n_epochs, self.every_n_steps, self.every_n_secs) == (None, None, None)

    @property
    def by_epochs_alone(self) -> bool:
        """True where nothing but whole epochs is scheduled."""
        return self.every_n_steps is None and self.every_n_secs is None

    def next_step(self, global_step: int, steps_per_epoch: int) -> int | None:
        """Returns the first global step after ``global_step`` that is due by epochs or steps."""
        periods = []
        if self.every_n_epochs is not None:
            periods.append(self.every_n_epochs * steps_per_epoch)
        if self.every_n_steps is not None:
            periods.append(self.every_n_steps)
        return min(((global_step // n + 1) * n for n in periods), default=None)

    def is_due(self, global_step: int, steps_per_epoch: int, secs_since_last: float) -> bool:
        """Returns whether a stop at ``global_step`` (at least 1) is a due point."""
        if self.every_n_secs is not None and secs_since_last >= self.every_n_secs:
            return True
        return global_step > 0 and self.next_step(global_step - 1, steps_per_epoch) == global_step


NEVER = Schedule()
