"""Seconds of a run by where they went, as a line for the user and as numbers for ``run.json``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

log = logging.getLogger(__name__)

INPUT_IS_SLOW = 0.3
"""Least share of waiting for batches that is worth a line."""

CALLBACK_IS_SLOW = 0.1
"""Least share of a callback that is worth a word."""


@dataclass(frozen=True)
class TimeSpent:
    """Seconds of a run in this process.

    Args:
        compute: Seconds in calls into the graph, without ``input``.
        input: Seconds in these calls spent on waiting for batches; 0 for data in memory.
        callbacks: Seconds in callbacks that observe: metrics, evaluation, progress.
        checkpoints: Seconds that training lost to saves.
        exports: Seconds of the exports at the end.
        rest: Seconds spent on initialising or restoring variables, and on the loop itself.

    Example:
        >>> spent = TimeSpent(compute=8.0, input=0.5, callbacks=0.1, checkpoints=0.4, exports=0.9, rest=0.1)
        >>> spent.line()
        '80 % compute, 5 % input, 1 % callbacks, 4 % checkpoints, 9 % exports, 1 % rest'
        >>> spent.waits_for_input
        False
    """

    compute: float
    input: float
    callbacks: float
    checkpoints: float
    exports: float
    rest: float

    @property
    def total(self) -> float:
        """Sum of all seconds."""
        return float(sum(asdict(self).values()))

    def line(self) -> str:
        """Returns the shares; those of exports and rest only where they are not 0."""
        shares = {name: secs / max(self.total, 1e-9) for name, secs in asdict(self).items()}
        shown = {name: each for name, each in shares.items() if name not in ("exports", "rest") or each >= 0.005}
        return ", ".join(f"{share:.0%} {name}".replace("%", " %") for name, share in shown.items())

    @property
    def waits_for_input(self) -> bool:
        """True where the input is the bottleneck."""
        return self.input > 0 and self.input >= INPUT_IS_SLOW * self.total

    def slowest(self, callbacks: Mapping[str, float]) -> str:
        """Returns a word about the callback that took most, where that was more than a tenth of the time, else "".

        Args:
            callbacks: Seconds that each callback took, by name.

        Example:
            >>> spent = TimeSpent(compute=7.0, input=0.0, callbacks=2.5, checkpoints=0.5, exports=0.0, rest=0.0)
            >>> spent.slowest({"evaluate": 2.4, "metrics": 0.1, "checkpoint": 0.5})
            '; slowest callback: evaluate (24 %)'
        """
        name, secs = max(callbacks.items(), key=lambda each: each[1], default=("", 0.0))
        share = secs / max(self.total, 1e-9)
        return f"; slowest callback: {name} ({100 * share:.0f} %)" if share > CALLBACK_IS_SLOW else ""

    def advice(self, steps: int, remedies: Sequence[str]) -> str:
        """Returns a line about an input that is the bottleneck.

        Args:
            steps: Number of steps.
            remedies: What could make it faster.

        Example:
            >>> slow = TimeSpent(compute=3.0, input=6.0, callbacks=0.5, checkpoints=0.5, exports=0.0, rest=0.0)
            >>> slow.advice(1000, ["cache() it", "keep the data in memory"])[75:]
            'mputes for 3.0 ms; cache() it, or keep the data in memory'
        """
        waits, computes = 1000 * self.input / steps, 1000 * self.compute / steps
        return (
            f"the data set is the bottleneck: each step waits {waits:.1f} ms for its batch and computes for "
            f"{computes:.1f} ms; {', '.join(remedies[:-1])}, or {remedies[-1]}"
        )


def time_spent(
    total: float, *, calls: float, waited: float, callbacks: float, checkpoints: float, exports: float
) -> TimeSpent:
    """Returns ``total`` seconds by where they went; the rest is what the others leave."""
    rest = max(total - calls - callbacks - checkpoints - exports, 0.0)
    return TimeSpent(max(calls - waited, 0.0), waited, callbacks, checkpoints, exports, rest)
