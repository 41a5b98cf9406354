"""Progress of the training: a bar on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from tqdm import tqdm

from trainer.callback import Callback, Context
from trainer.checks import check_number
from trainer.schedule import Schedule

log = logging.getLogger(__name__)


class Progress(Callback):
    """Shows epoch, metrics and rate: a bar on a terminal or in a notebook, else a line every few seconds.

    Args:
        every_n_secs: Seconds between two plain lines.
        clock: Function that returns monotonic seconds.

    Raises:
        TypeError, ValueError: The value is not a positive number.

    Example:
        >>> format_metrics({"loss": 0.01234, "val_accuracy": 0.98123, "steps_per_sec": 3.0})
        'loss 0.01234, val_accuracy 0.9812'
    """

    schedule = Schedule(every_n_secs=0.5)

    def __init__(self, *, every_n_secs: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_n_secs = check_number("every_n_secs", every_n_secs, above=0)
        self._clock = clock
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, context: Context) -> None:
        """Starts the bar, or the clock of the plain lines."""
        total = context.total_epochs * context.steps_per_epoch
        self._shown_step = context.record.global_step
        self._shown_at = self._clock()
        # A notebook shows the text of a bar too, but has no width and marks the error stream in red.
        place: dict[str, Any] = {"file": sys.stdout, "ncols": 110} if in_notebook() else {"dynamic_ncols": True}
        if (is_terminal() or in_notebook()) and context.record.global_step < total:
            self._bar = tqdm(total=total, initial=self._shown_step, unit=" steps", unit_scale=True, **place)

    def on_step_end(self, context: Context) -> None:
        """Moves the bar, or prints a line where the last one is old enough."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {self._epoch(context)}", refresh=False)
            self._bar.set_postfix_str(format_metrics(context.record.metrics), refresh=False)
            self._bar.update(context.record.global_step - self._bar.n)
        elif self._clock() - self._shown_at >= self._every_n_secs:
            self._print_line(context)

    def on_train_end(self, context: Context) -> None:
        """Shows where training ended."""
        self.on_step_end(context)
        if self._bar is None and context.record.global_step > self._shown_step:
            self._print_line(context)
        self.close()

    def close(self) -> None:
        """Closes the bar in its present state and ends its line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _epoch(self, context: Context) -> str:
        return f"{context.record.epoch}/{context.total_epochs}"

    def _print_line(self, context: Context) -> None:
        now, step = self._clock(), context.record.global_step
        rate = (step - self._shown_step) / max(now - self._shown_at, 1e-9)
        shown = [*filter(None, [format_metrics(context.record.metrics)]), f"{format_rate(rate)} steps/s"]
        log.info("epoch %s: %s", self._epoch(context), ", ".join(shown))
        self._shown_at, self._shown_step = now, step


def is_terminal() -> bool:
    """Returns whether a bar that moves can be shown."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def in_notebook() -> bool:
    """Returns whether the program is a notebook, such as those of Jupyter and Colab."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Returns the metrics in four digits, without the rate, which is shown separately."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if name != "steps_per_sec")


def format_rate(rate: float) -> str:
    """Returns a rate with as many digits as matter.

    Example:
        >>> format_rate(12345.6), format_rate(3.21)
        ('12,346', '3.2')
    """
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
