"""Outcome of a training from Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer import predict
from trainer.checkpoints.catalog import list_checkpoints
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.errors import RequestError
from trainer.predict.predictor import Predictor
from trainer.state import SECS_KEYS


@dataclass(frozen=True)
class Result:
    """Outcome of ``trainer.fit``.

    Args:
        directory: Directory of the run.
        metrics: Metrics of each epoch so far, earlier processes included; nan for what is not finite.
        reason: Reason for the end: all epochs are complete, a callback's reason, or an interrupt.
        interrupted: Whether Ctrl-C ended the run; the same call with the directory continues it.

    Example:
        >>> result = Result(Path("outputs/fit/1"), [{"loss": 0.5}, {"loss": 0.25}], "epoch 2 of 2 is complete")
        >>> result.metrics[-1]["loss"], result.interrupted
        (0.25, False)
    """

    directory: Path
    metrics: Sequence[dict[str, float]] = field(repr=False)
    reason: str
    interrupted: bool = False

    @property
    def checkpoints(self) -> tuple[StoredCheckpoint, ...]:
        """Checkpoints of the run, the oldest first; () where no callback has saved one."""
        try:
            return list_checkpoints(self.directory)
        except RequestError:
            return ()

    def predictor(self, which: str = "last") -> Predictor:
        """Opens a predictor of a checkpoint; close it, or use it in a ``with`` block.

        Args:
            which: Checkpoint to use: ``last``, ``best``, a number or a name.

        Raises:
            RequestError: The run has no such checkpoint.
        """
        return predict.open_predictor(f"{self.directory}@{which}")


def stored_metrics(file: Path, last_epoch: int | None = None) -> list[dict[str, float]]:
    """Returns the metrics of each epoch in a ``metrics.jsonl``, without its seconds; [] where there is none.

    Args:
        file: Path of the file.
        last_epoch: Last epoch to read, or None for all.
    """
    if not file.is_file():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    epochs = [line for line in lines if "step_in_epoch" not in line]
    kept = [line for line in epochs if last_epoch is None or line["epoch"] <= last_epoch]
    return [{name: _number(value) for name, value in line.items() if name not in SECS_KEYS} for line in kept]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
