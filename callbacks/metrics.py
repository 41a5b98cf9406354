"""The file ``metrics.jsonl``: a JSON object for each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path

from trainer.callback import Callback, Context
from trainer.checks import finite_or_none
from trainer.files import write_atomically


class Metrics(Callback):
    """Appends a line for each epoch: epoch, global_step, loss, every metric, steps_per_sec.

    Lines of epochs after the checkpoint that a resume starts from are removed, since these epochs
    run again. A metric that is not finite is null, as JSON has no other word for it.

    Example:
        >>> Metrics().schedule.is_never
        True
    """

    def __init__(self) -> None:
        self._file: TextIOWrapper | None = None

    def on_train_begin(self, context: Context) -> None:
        """Opens the file, cut to the epochs that are complete."""
        path = context.run.metrics_file
        if path.exists():
            keep_epochs(path, context.record.epoch)
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def on_epoch_end(self, context: Context) -> None:
        """Writes the line."""
        if self._file is not None:
            self._file.write(line_of(context.record.epoch, context.record.global_step, context.record.metrics) + "\n")

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
    return json.dumps({"epoch": epoch, "global_step": global_step, **finite_or_none(metrics)})


def keep_epochs(path: Path, last_epoch: int) -> None:
    """Drops the lines of later epochs, and a last line that was cut by a kill."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            epoch = json.loads(line)["epoch"]
        except (ValueError, KeyError, TypeError):
            continue
        if epoch <= last_epoch:
            kept.append(line)
    write_atomically(path, "".join(f"{line}\n" for line in kept))
