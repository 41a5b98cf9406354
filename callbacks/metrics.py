"""The file ``metrics.jsonl``, one JSON object for each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import TextIOWrapper
from json.encoder import encode_basestring_ascii
from math import isfinite
from pathlib import Path
from typing import Any

from trainer.callback import Callback, Context
from trainer.files import write_atomically
from trainer.state import StepMetrics


class Metrics(Callback):
    """Appends a line for each epoch: epoch, global_step, loss, every metric, steps_per_sec.

    A resume removes the lines of epochs after its checkpoint, since these epochs run again. An epoch
    whose end is told twice, since a signal cut off its evaluation and a kill the process that finished
    it, has one line. A metric that is not finite is null, since JSON cannot write it.

    Example:
        >>> Metrics().schedule.is_never
        True
    """

    writes = ("metrics.jsonl",)

    def __init__(self) -> None:
        self._file: TextIOWrapper | None = None
        self._last_epoch = 0

    def on_train_begin(self, context: Context) -> None:
        """Opens the file, cut to the epochs that are complete."""
        path = context.run.metrics_file
        if path.exists():
            self._last_epoch = keep_epochs(path, context.record.epoch)
        self._file = path.open("a", encoding="utf-8")

    def on_call_end(self, context: Context, steps: StepMetrics) -> None:
        """Flushes the lines of the previous call: thousands of epochs may end in a second."""
        self._flush()

    def on_epoch_end(self, context: Context) -> None:
        """Writes the line."""
        if context.record.epoch == self._last_epoch:
            self._reopen_without_last(context)
        if self._file is not None:
            self._file.write(line_of(context.record.epoch, context.record.global_step, context.record.metrics) + "\n")
        if context.is_current:
            self._flush()

    def _reopen_without_last(self, context: Context) -> None:
        self.close()
        self._last_epoch = keep_epochs(context.run.metrics_file, context.record.epoch - 1)
        self._file = context.run.metrics_file.open("a", encoding="utf-8")

    def state_dict(self) -> dict[str, Any]:
        """Returns {}, after a flush: the file must not be behind the checkpoint that is about to be saved."""
        self._flush()
        return {}

    def _flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def line_of(epoch: int, global_step: int, metrics: Mapping[str, float]) -> str:
    """Returns the JSON object of an epoch.

    Example:
        >>> line_of(1, 100, {"loss": 0.5, "accuracy": float("nan")})
        '{"epoch": 1, "global_step": 100, "loss": 0.5, "accuracy": null}'
    """
    # json.dumps takes twice as long, and a small model ends thousands of epochs in a second.
    numbers = [f", {encode_basestring_ascii(name)}: {_number(value)}" for name, value in metrics.items()]
    return f'{{"epoch": {epoch}, "global_step": {global_step}{"".join(numbers)}}}'


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else "null"


def keep_epochs(path: Path, last_epoch: int) -> int:
    """Removes the lines of later epochs, and a last line that a kill cut off; returns the last epoch kept, or 0."""
    kept, last_kept = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            epoch = json.loads(line)["epoch"]
        except (ValueError, KeyError, TypeError):
            continue
        if epoch <= last_epoch:
            kept.append(line)
            last_kept = epoch
    write_atomically(path, "".join(f"{line}\n" for line in kept))
    return last_kept
