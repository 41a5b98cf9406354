"""Texts about the progress of a training: where it is, how fast it goes, how long it will take; no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from trainer.state import RunState

LONG_EPOCH_SECS = 2.0
"""Seconds of an epoch from which on its steps are shown, and its means so far."""

LEAST_SECS = 0.1
"""Seconds that give no rate of their own yet."""


class Speed:
    """Rate of the steps, without the first call, where there is more than one.

    Args:
        now: Seconds of a clock.
        step: Global step now.

    Example:
        >>> speed = Speed(0.0, step=0)
        >>> for now, step in ((3.0, 1), (5.0, 21), (7.0, 61)):
        ...     speed.measure(now, step)
        >>> speed.newest, speed.mean
        (20.0, 15.0)
    """

    def __init__(self, now: float, step: int) -> None:
        self._first = self._last = (now, step)
        self.began: tuple[float, int] | None = None
        """Seconds and step after the first call."""
        self.newest: float | None = None
        """Steps per second in the last time; None before the second measurement."""
        self.mean: float | None = None
        """Steps per second since the first call."""

    def measure(self, now: float, step: int, newest: float = 1.0) -> None:
        """Takes in another step; ``newest`` is the weight of the last rate beside those before it."""
        if self.began is None:
            self.began = now, step
        elif now - self._last[0] < LEAST_SECS or step == self._last[1]:
            return
        else:
            rate = _rate(self._last, (now, step))
            self.newest = rate if self.newest is None else newest * rate + (1 - newest) * self.newest
            self.mean = _rate(self.began, (now, step))
        self._last = now, step

    def finish(self, now: float, step: int) -> None:
        """Takes in the last step; the rate of a run that was too short to measure is that with its first call."""
        if self.newest is None and step > self._first[1]:
            self.newest = self.mean = _rate(self._first, (now, step))


def _rate(begin: tuple[float, int], end: tuple[float, int]) -> float:
    return (end[1] - begin[1]) / max(end[0] - begin[0], 1e-9)


@dataclass(frozen=True)
class Moment:
    """Texts about a moment of the training.

    Args:
        epoch: Number of the epoch, as ``epoch 1/3``: the one that goes on, or the last complete one.
        step: Step in that epoch, as ``4,120/15,000``; "" where epochs are short.
        metrics: Values by name.
        rate: Steps per second; "" where it is not known yet.
        left: Time that is left of the epoch, or of the run where epochs are short; "" at the end.
        run_left: Time that is left of the run, where epochs are long; "" in the last one.

    Example:
        >>> metrics = {"loss": "0.31", "accuracy": "0.87"}
        >>> Moment("epoch 1/3", "4,120/15,000", metrics, "403 steps/s", "27 s left", "run 2 min").line()
        'epoch 1/3: step 4,120/15,000, loss 0.31, accuracy 0.87, 403 steps/s, 27 s left, run 2 min'
    """

    epoch: str
    step: str
    metrics: Mapping[str, str]
    rate: str
    left: str
    run_left: str

    @classmethod
    def of(cls, record: RunState, epochs: int, steps: int, so_far: Mapping[str, float], speed: Speed) -> Moment:
        """Returns the texts about a state.

        Args:
            record: State of training.
            epochs: Number of epochs of the run.
            steps: Number of steps in an epoch.
            so_far: Means of the epoch that goes on.
            speed: Rate of the steps.
        """
        done, newest = record.global_step % steps, speed.newest or 0.0
        is_long = not record.epoch if newest == 0 else steps / newest >= LONG_EPOCH_SECS
        within = is_long and done > 0
        metrics = {**record.metrics, **so_far} if within else record.metrics
        run_left = format_secs((epochs * steps - record.global_step) / speed.mean) if speed.mean else ""
        left = format_secs((steps - done) / newest) if within and newest else "" if is_long else run_left
        is_over = record.global_step >= epochs * steps
        is_last = record.epoch + within >= epochs
        return cls(
            epoch=f"epoch {record.epoch + within}/{epochs}",
            step=f"{done or steps:,}/{steps:,}" if is_long and record.global_step else "",
            metrics={name: f"{value:.4g}" for name, value in metrics.items() if name != "steps_per_sec"},
            rate=f"{format_rate(newest)} steps/s" if newest else "",
            left=f"{left} left" if left and not is_over else "",
            run_left=f"run {run_left}" if is_long and run_left and not is_last else "",
        )

    def parts(self, padded: Callable[[str, str], str] = lambda _name, text: text) -> Iterator[tuple[int, str]]:
        """Yields the texts but for the epoch in their order, each with its rank: 0 is needed most.

        Args:
            padded: Function of a name and its text that returns the text in the width that it has had.
        """
        yield 3, f"step {padded('step', self.step)}" if self.step else ""
        for i, (name, text) in enumerate(self.metrics.items()):
            yield (4 + i if i else 0), f"{name} {padded(f'metric {name}', text)}"
        yield 2, padded("rate", self.rate)
        yield 1, padded("left", self.left)
        yield 5, padded("run_left", self.run_left)

    def line(self) -> str:
        """Returns all in a line."""
        shown = ", ".join(text for _, text in self.parts() if text)
        return f"{self.epoch}: {shown}" if shown else self.epoch


def fitted(parts: Sequence[tuple[int, str]], width: int) -> str:
    """Returns texts in their order, as many as fit into a width; those of low rank first.

    Example:
        >>> fitted([(2, "step 3/9"), (0, "loss 0.3"), (1, "27 s left")], width=20)
        'loss 0.3, 27 s left'
    """
    kept, used = set(), -2
    for i in sorted((i for i, (_, text) in enumerate(parts) if text), key=lambda i: parts[i][0]):
        if used + 2 + len(parts[i][1]) <= width:
            kept.add(i)
            used += 2 + len(parts[i][1])
    return ", ".join(text for i, (_, text) in enumerate(parts) if i in kept)


def format_rate(rate: float) -> str:
    """Returns a rate with as many digits as matter.

    Example:
        >>> format_rate(12345.6), format_rate(3.21)
        ('12,346', '3.2')
    """
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def format_secs(secs: float) -> str:
    """Returns a time in the unit that fits it.

    Example:
        >>> [format_secs(secs) for secs in (0.2, 27.4, 150, 5000, 100_000, 1_000_000)]
        ['1 s', '27 s', '150 s', '83 min', '28 h', '12 days']
    """
    for limit, size, unit in ((180, 1, "s"), (180 * 60, 60, "min"), (72 * 3600, 3600, "h")):
        if secs < limit:
            return f"{max(secs / size, 1):.0f} {unit}"
    return f"{secs / 86400:.0f} days"
