"""The file ``metrics.jsonl``, one JSON object for each epoch, and for each row of means within epochs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from json.encoder import encode_basestring_ascii
from math import isfinite
from pathlib import Path
from typing import Any

from trainer.callback import Callback, Context
from trainer.files import write_atomically
from trainer.state import RunState, StepMetrics


class Metrics(Callback):
    """Appends a line for each epoch: epoch, global_step, loss, every metric, steps_per_sec, and where its time went.

    The seconds (``secs_compute``, ``secs_input``, ``secs_callbacks``, ``secs_checkpoints``) are those since the line
    before that has them; an epoch that ends inside a call into the graph has none. Where ``log_every_n_steps`` is
    set, a line for each N steps has ``step_in_epoch`` besides, and ``epoch`` is the number of epochs before it.

    A resume removes the lines of steps after its checkpoint, since these steps run again. An epoch
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
        self._secs: Mapping[str, float] = {}

    def on_train_begin(self, context: Context) -> None:
        """Opens the file, cut to the steps that are complete."""
        path, last_step = context.run.metrics_file, context.record.global_step
        if path.exists():
            self._last_epoch = keep_lines(path, lambda line: line["global_step"] <= last_step)
        self._file = path.open("a", encoding="utf-8")
        self._secs = context.secs_so_far()

    def on_call_end(self, context: Context, steps: StepMetrics) -> None:
        """Flushes the lines of the previous call: thousands of epochs may end in a second."""
        self._flush()

    def on_log(self, context: Context, row: RunState) -> None:
        """Writes the line of the last steps."""
        if self._file is not None:
            step_in_epoch = row.global_step - row.epoch * context.steps_per_epoch
            self._file.write(line_of(row.epoch, row.global_step, row.metrics, step_in_epoch) + "\n")

    def on_epoch_end(self, context: Context) -> None:
        """Writes the line of the epoch."""
        epoch, metrics = context.record.epoch, context.record.metrics
        if epoch == self._last_epoch:
            self._reopen_without_last(context)
        if context.is_current:
            metrics = {**metrics, **self._secs_since_the_line_before(context)}
        if self._file is not None:
            self._file.write(line_of(epoch, context.record.global_step, metrics) + "\n")
        if context.is_current:
            self._flush()

    def _secs_since_the_line_before(self, context: Context) -> dict[str, float]:
        before, self._secs = self._secs, context.secs_so_far()
        return {f"secs_{name}": round(secs - before.get(name, 0.0), 4) for name, secs in self._secs.items()}

    def _reopen_without_last(self, context: Context) -> None:
        self.close()
        path, epoch = context.run.metrics_file, context.record.epoch
        self._last_epoch = keep_lines(path, lambda line: is_within_epoch(line) or line["epoch"] < epoch)
        self._file = path.open("a", encoding="utf-8")

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


def line_of(epoch: int, global_step: int, metrics: Mapping[str, float], step_in_epoch: int | None = None) -> str:
    """Returns the JSON object of an epoch, or of a step within one.

    Example:
        >>> line_of(1, 100, {"loss": 0.5, "accuracy": float("nan")})
        '{"epoch": 1, "global_step": 100, "loss": 0.5, "accuracy": null}'
        >>> line_of(1, 120, {"loss": 0.25}, step_in_epoch=20)
        '{"epoch": 1, "step_in_epoch": 20, "global_step": 120, "loss": 0.25}'
    """
    # json.dumps takes twice as long, and a small model ends thousands of epochs in a second.
    numbers = [f", {encode_basestring_ascii(name)}: {_number(value)}" for name, value in metrics.items()]
    place = "" if step_in_epoch is None else f'"step_in_epoch": {step_in_epoch}, '
    return f'{{"epoch": {epoch}, {place}"global_step": {global_step}{"".join(numbers)}}}'


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else "null"


def is_within_epoch(line: Mapping[str, Any]) -> bool:
    """Returns whether a line is that of some steps, not of a whole epoch."""
    return "step_in_epoch" in line


def keep_lines(path: Path, is_kept: Callable[[Mapping[str, Any]], bool]) -> int:
    """Removes other lines, and a last line that a kill cut off; returns the last epoch that has a line, or 0."""
    kept, last_epoch = [], 0
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
            if not is_kept(line):
                continue
            last_epoch = last_epoch if is_within_epoch(line) else line["epoch"]
        except (ValueError, KeyError, TypeError):
            continue
        kept.append(text)
    write_atomically(path, "".join(f"{text}\n" for text in kept))
    return last_epoch
