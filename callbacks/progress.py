"""Progress of the training: a bar on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from trainer.callback import Callback, Context
from trainer.checks import check_number
from trainer.display.progress_text import Moment, Speed, fitted
from trainer.display.terminal import is_terminal
from trainer.schedule import Schedule

log = logging.getLogger(__name__)

NEWEST = 0.3
"""Weight of the newest rate in that of the bar."""

NOTEBOOK_COLUMNS = 110
"""Width of the bar in a notebook, which has none of its own."""

SHARE_OF_BAR = 8
"""Part of a line that the bar itself takes: one in so many of its columns, always the same."""


class Progress(Callback):
    """Shows epoch, metrics, rate and the time left: a bar on a terminal or in a notebook, else a line now and then.

    In an epoch of more than two seconds the metrics are the means of its steps so far, beside those of the last
    evaluation; otherwise they are those of the last complete epoch.

    Args:
        every_n_secs: Seconds between two plain lines.
        clock: Function that returns monotonic seconds.

    Raises:
        TypeError, ValueError: The value is not a positive number.

    Example:
        >>> Progress(every_n_secs=60).schedule.every_n_secs  # the bar moves more often
        0.5
    """

    schedule = Schedule(every_n_secs=0.5)

    def __init__(self, *, every_n_secs: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_n_secs = check_number("every_n_secs", every_n_secs, above=0)
        self._clock = clock
        self._bar: _Bar | None = None

    def on_train_begin(self, context: Context) -> None:
        """Starts the bar, or the clock of the plain lines."""
        self.close()
        total, step = context.total_epochs * context.steps_per_epoch, context.record.global_step
        self._speed = Speed(self._clock(), step)
        self._shown_at, self._shown_step = self._clock(), step
        # A notebook shows the text of a bar too, but has no width and marks the error stream in red.
        place: dict[str, Any] = {"dynamic_ncols": True}
        if in_notebook():
            place = {"file": sys.stdout, "ncols": NOTEBOOK_COLUMNS}
        if (is_terminal() or in_notebook()) and step < total:
            self._bar = _Bar(total=total, initial=step, bar_format="{begin}|{bar}|{end}", delay=1e-9, **place)
            self._bar.show(step, self._moment(context))

    def on_step_end(self, context: Context) -> None:
        """Moves the bar, or prints a line where the last one is old enough."""
        now, step = self._clock(), context.record.global_step
        if self._bar is not None:
            self._speed.measure(now, step, newest=NEWEST)
            self._bar.show(step, self._moment(context))
        elif self._speed.began is None and now - self._shown_at < self._every_n_secs:
            # The first call builds and compiles what none after it does.
            self._speed.measure(now, step)
            self._shown_at = now
        elif now - self._shown_at >= self._every_n_secs:
            self._print_line(context)

    def on_train_end(self, context: Context) -> None:
        """Shows where training ended."""
        self._speed.finish(self._clock(), context.record.global_step)
        if self._bar is not None:
            self._bar.show(context.record.global_step, self._moment(context))
        elif context.record.global_step > self._shown_step:
            self._print_line(context)
        self.close()

    def close(self) -> None:
        """Closes the bar in its present state and ends its line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print_line(self, context: Context) -> None:
        now, step = self._clock(), context.record.global_step
        self._speed.measure(now, step)
        log.info("%s", self._moment(context).line())
        self._shown_at, self._shown_step = now, step

    def _moment(self, context: Context) -> Moment:
        total, steps = context.total_epochs, context.steps_per_epoch
        return Moment.of(context.record, total, steps, context.epoch_so_far, self._speed)


class _Bar(tqdm):  # type: ignore[type-arg]
    """Bar over all steps of a run, between the epoch and as many other texts as fit, whose widths only grow."""

    _moment: Moment | None = None

    def show(self, step: int, moment: Moment) -> None:
        """Shows a moment."""
        self._moment = moment
        self.n = step
        self.refresh()

    @property
    def format_dict(self) -> Any:
        """Values that the format of the bar can name: also the texts before and after it."""
        found, moment = super().format_dict, self._moment
        if moment is None:
            return {**found, "begin": "", "end": ""}
        begin = f"{self._padded('epoch', moment.epoch)} "
        columns = found["ncols"] or NOTEBOOK_COLUMNS
        width = columns - len(begin) - 3 - columns // SHARE_OF_BAR
        end = fitted([*moment.parts(self._padded)], width).ljust(width)
        return {**found, "begin": begin, "end": f" {end}"}

    def _padded(self, name: str, text: str) -> str:
        widths: dict[str, int] = self.__dict__.setdefault("_widths", {})
        widths[name] = max(widths.get(name, 0), len(text))
        return text.rjust(widths[name]) if text else ""


def in_notebook() -> bool:
    """Returns whether the program is a notebook, such as those of Jupyter and Colab."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)
