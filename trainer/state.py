"""Plain data about a running training that graph, loop, callbacks and run directory share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

COMPILE_SETTINGS = ("auto", "off", "xla", "measure")
"""Values of the setting ``compile``."""

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""Values of the setting ``precision``, which otherwise is None: Keras's own policy."""

SECS_KEYS = ("secs_compute", "secs_input", "secs_callbacks", "secs_checkpoints")
"""Keys of a line of ``metrics.jsonl`` that tell where the time of an epoch went."""

WEIGHTS = ("averaged", "trained")
"""Values of an argument ``weights``, which otherwise is None: averages where the optimizer keeps any."""


@dataclass(frozen=True)
class RunState:
    """State of training at one moment; immutable, a new one replaces it.

    Args:
        epoch: Number of completed epochs.
        global_step: Number of updates of the variables so far.
        metrics: Metrics of the last completed epoch: ``loss``, the model's metrics, ``val_...``
            where there is a validation part, and ``steps_per_sec``. In a row of ``on_log``: those of
            the last steps.
    """

    epoch: int
    global_step: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StepMetrics:
    """Metrics of each step of one call into the graph.

    Args:
        first_step: Global step after the first of the steps.
        names: Names of the columns, ``loss`` first.
        values: Array of float32 [steps, metrics].
    """

    first_step: int
    names: tuple[str, ...]
    values: Any


@dataclass(frozen=True)
class Rollback:
    """Request to return to the newest good checkpoint and to leave one batch out.

    Args:
        skip_step: Update, counted from 1, whose batch is left out from now on.
        rate_factor: Factor by which the learning rate is multiplied.
    """

    skip_step: int
    rate_factor: float


@dataclass(frozen=True)
class CheckpointSettings:
    """Settings of a callback that saves checkpoints, as resume, exports and tools need them.

    Args:
        prefix: Prefix of the checkpoints' names, before ``-<number>``.
        monitor: Metric that decides which checkpoint is the best.
        mode: ``min`` or ``max``, the end of the metric that is best.
        pinned: Numbers of checkpoints that are never removed.
        keep_best: Number of best checkpoints that are kept in addition.
        all_variables: Whether the checkpoints hold all that a resume needs.
    """

    prefix: str = "model"
    monitor: str = "loss"
    mode: str = "min"
    pinned: frozenset[int] = frozenset()
    keep_best: int = 0
    all_variables: bool = True


@dataclass(frozen=True)
class SavedCheckpoint:
    """Checkpoint that has been committed in this run.

    Args:
        name: Name such as ``model-300``.
        number: Number in the name: completed epochs, or the global step.
        epoch: Number of completed epochs.
        global_step: Number of updates of its variables.
    """

    name: str
    number: int
    epoch: int
    global_step: int


@dataclass(frozen=True)
class Improvement:
    """Best value of a metric so far, and the epochs without a better one; immutable.

    Args:
        mode: ``min`` or ``max``, the end of the metric that is better.
        min_delta: Smallest improvement that counts.
        baseline: Value that must be improved on before an epoch counts as better, or None.
        best: Best value so far, or None.
        epochs_since: Number of epochs since then.

    Example:
        >>> seen = Improvement(mode="min", min_delta=0.1)
        >>> for value in (1.0, 0.95, 0.5, float("nan")):
        ...     seen = seen.after(value)
        >>> seen.best, seen.epochs_since
        (0.5, 1)
    """

    mode: str
    min_delta: float = 0.0
    baseline: float | None = None
    best: float | None = None
    epochs_since: int = 0

    def after(self, value: float) -> Improvement:
        """Returns the state after one more epoch; a value that is not finite never improves."""
        if not math.isfinite(value) or not self._improves(value, self.best):
            return replace(self, epochs_since=self.epochs_since + 1)
        reaches = self._improves(value, self.baseline)
        return replace(self, best=value, epochs_since=0 if reaches else self.epochs_since + 1)

    def _improves(self, value: float, on: float | None) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        return on is None or sign * value < sign * on - self.min_delta
