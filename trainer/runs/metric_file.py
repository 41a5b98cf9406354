"""Reader of ``metrics.jsonl``, which may grow while it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_METRICS = ("epoch", "global_step", "step_in_epoch")
"""Keys of a row that say where it belongs."""

WITHIN_EPOCH = "step_in_epoch"
"""Key of the rows within an epoch: their values are means of a few steps, not of an epoch."""


@dataclass(frozen=True)
class Values:
    """Values of one metric over the epochs of a run.

    Args:
        last: Value of the last epoch that has the metric; None where it is not finite.
        lowest: Lowest finite value, or None.
        highest: Highest finite value, or None.
    """

    last: float | None
    lowest: float | None = None
    highest: float | None = None

    def then(self, value: float | None) -> Values:
        """Returns the values with that of one more epoch."""
        if value is None:
            return Values(None, self.lowest, self.highest)
        lowest = value if self.lowest is None else min(value, self.lowest)
        return Values(value, lowest, value if self.highest is None else max(value, self.highest))

    def of(self, mode: str) -> float | None:
        """Returns the value by ``last``, ``min`` or ``max``."""
        return {"last": self.last, "min": self.lowest, "max": self.highest}[mode]


class MetricFile:
    r"""Metrics of a run's epochs, each line read once.

    Lines that are no JSON object, such as the last one of a killed process, are skipped. A file that a resume has
    cut is read again from its beginning.

    Args:
        path: Path of ``metrics.jsonl``; need not exist.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
        >>> _ = path.write_text('{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.75}\n{"epoch": 3, "lo')
        >>> file = MetricFile(path)
        >>> file.read()
        >>> file.epoch, file.values["loss"].of("min"), file.values["loss"].of("last")
        (2, 0.5, 0.75)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._restart(None)

    def _restart(self, inode: int | None) -> None:
        self._inode, self._offset = inode, 0
        self.epoch: int | None = None
        """Completed epochs by the last line, or None without one."""
        self.values: dict[str, Values] = {}
        """Values over the epochs, by name of the metric."""

    def read(self) -> None:
        """Reads the lines that were written since the last call; a file that cannot be read has none."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._restart(status.st_ino)
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    self._take(line)
        except OSError:
            self._restart(None)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(row, Mapping):
            return
        if isinstance(row.get("epoch"), int):
            self.epoch = row["epoch"]
        if WITHIN_EPOCH in row:
            return
        for name, value in row.items():
            if name not in NOT_METRICS and (value is None or _is_number(value)):
                self.values[name] = self.values.get(name, Values(None)).then(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
