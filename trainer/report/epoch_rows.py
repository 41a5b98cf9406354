"""Numbers of ``metrics.jsonl``, read whatever a kill or a running process left there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COUNTS = ("epoch", "global_step", "step_in_epoch")
SECS, RATE, STEPS_PER_SEC, VAL = "secs_", "learning_rate", "steps_per_sec", "val_"

MAX_POINTS = 500
"""Max number of points in a curve: more are closer together than a pixel."""

MAX_VALUE = 1e300
"""Size of a number from which differences of two overflow; a metric of float32 never has it."""

LOG_SPAN = 50.0
"""Quotient of the largest and the smallest value from which a logarithmic scale shows more."""


@dataclass(frozen=True)
class Curve:
    """Values of a metric over epochs.

    Args:
        epochs: Completed epochs, with a fraction inside one.
        values: Values of the metric; nan where it has none.
    """

    epochs: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def finite(self) -> list[float]:
        """Values that are finite."""
        return [value for value in self.values if math.isfinite(value)]


@dataclass(frozen=True)
class EpochRows:
    """Rows of ``metrics.jsonl``.

    Args:
        whole: Rows of whole epochs, in order.
        inside: Rows within epochs, in order.

    Example:
        >>> rows = EpochRows(({"epoch": 1, "global_step": 10, "loss": 2.0}, {"epoch": 2, "global_step": 20}))
        >>> rows.curve("loss").values, rows.epoch_of(15), rows.names
        ((2.0,), 1.5, ['loss'])
    """

    whole: tuple[Mapping[str, Any], ...] = ()
    inside: tuple[Mapping[str, Any], ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the metrics, in the order of their first appearance."""
        found = dict.fromkeys(name for row in (*self.whole, *self.inside) for name in row)
        return [name for name in found if name not in COUNTS]

    @property
    def steps_per_epoch(self) -> float | None:
        """Number of steps in an epoch; None before the end of the first."""
        known = (row["global_step"] / row["epoch"] for row in reversed(self.whole) if row["epoch"] > 0)
        return next((steps for steps in known if steps > 0), None)

    def epoch_of(self, step: float) -> float | None:
        """Returns the place of a step on the axis of epochs; None where the length of an epoch is not known."""
        steps = self.steps_per_epoch
        return None if steps is None else step / steps

    def curve(self, name: str) -> Curve:
        """Returns the values of a metric at the ends of epochs; epochs that did not report it are left out."""
        points = [(float(row["epoch"]), _number(row[name])) for row in self.whole if name in row]
        return Curve(tuple(x for x, _ in points), tuple(y for _, y in points))

    def curve_inside(self, name: str) -> Curve:
        """Returns the values of a metric within epochs."""
        points = [(self._place(row), _number(row[name])) for row in self.inside if name in row]
        return Curve(tuple(x for x, _ in points), tuple(y for _, y in points))

    def _place(self, row: Mapping[str, Any]) -> float:
        place = self.epoch_of(row["global_step"])
        # In the first epoch its length is not known; its steps are spread over what is there.
        return row["global_step"] / max(each["global_step"] for each in self.inside) if place is None else place

    def totals(self) -> dict[str, float]:
        """Returns the seconds of all epochs by kind of work, where the rows have them."""
        kinds = [name for name in self.names if name.startswith(SECS)]
        sums = {name.removeprefix(SECS): sum(self.curve(name).finite) for name in kinds}
        return {name: secs for name, secs in sums.items() if secs > 0}


def _number(value: Any) -> float:
    """Returns a value as a float; nan for one that is no number, or not finite, or beyond what can be drawn."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number and abs(value) < MAX_VALUE else math.nan
    except OverflowError:
        return math.nan


def read_rows(path: Path) -> EpochRows:
    """Returns the rows of a file; lines that are no rows, such as a last one that was cut off, are left out.

    Args:
        path: Path of ``metrics.jsonl``; it need not exist.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return EpochRows()
    rows = [row for line in lines if (row := _row(line)) is not None]
    # An epoch that is told twice counts as it was told last.
    whole = {row["epoch"]: row for row in rows if "step_in_epoch" not in row}
    inside = {row["global_step"]: row for row in rows if "step_in_epoch" in row}
    return EpochRows(*(tuple(each[key] for key in sorted(each)) for each in (whole, inside)))


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    row.setdefault("global_step", 0)
    counts = [row.get("epoch"), row["global_step"]]
    return row if all(isinstance(each, int) and 0 <= each < 2**53 for each in counts) else None


def thinned(curve: Curve, limit: int = MAX_POINTS) -> Curve:
    """Returns a curve of at most about ``limit`` points that looks the same: each piece keeps its extremes.

    Args:
        curve: Curve of any number of points.
        limit: Number of points.

    Example:
        >>> thinned(Curve(tuple(range(6)), (0, 9, 1, 1, -3, 2)), 4)
        Curve(epochs=(0, 1, 4, 5), values=(0, 9, -3, 2))
    """
    count = len(curve.values)
    if count <= limit:
        return curve
    pieces = max(1, limit // 2)
    kept: set[int] = {0, count - 1}
    for piece in range(pieces):
        inside = range(piece * count // pieces, (piece + 1) * count // pieces)
        known = [i for i in inside if not math.isnan(curve.values[i])]
        kept |= (
            {min(known, key=curve.values.__getitem__), max(known, key=curve.values.__getitem__)}
            if known
            else {inside[0]}
        )
    # The ends count too: drop none of the extremes for them.
    chosen = sorted(kept)
    return Curve(tuple(curve.epochs[i] for i in chosen), tuple(curve.values[i] for i in chosen))


def wants_log_scale(values: Sequence[float]) -> bool:
    """Returns whether values are positive and span decades.

    Example:
        >>> wants_log_scale([1.0, 0.001]), wants_log_scale([1.0, 0.5]), wants_log_scale([100.0, 0.0])
        (True, False, False)
    """
    return bool(values) and min(values) > 0 and max(values) / min(values) >= LOG_SPAN


def metric_groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Returns metrics with those of the validation parts by the name of the metric, ``loss`` first.

    Rates, steps per second and seconds are left out.

    Args:
        names: Names of all metrics.

    Example:
        >>> metric_groups(["accuracy", "loss", "val_loss", "val_books_accuracy", "val_auc", "learning_rate"])
        {'loss': ['loss', 'val_loss'], 'accuracy': ['accuracy', 'val_books_accuracy'], 'val_auc': ['val_auc']}
    """
    metrics = [name for name in names if not name.startswith((SECS, RATE)) and name != STEPS_PER_SEC]
    bases = [name for name in metrics if not name.startswith(VAL)]
    groups = {name: [name] for name in sorted(bases, key=lambda name: name != "loss")}
    for name in metrics:
        if name.startswith(VAL):
            fitting = [base for base in bases if name.endswith(f"_{base}")]
            groups.setdefault(max(fitting, key=len, default=name), []).append(name)
    return groups
