"""Early stopping: the end of a run whose metric no longer improves."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainer.callback import Callback, Context
from trainer.checks import check_choice, check_int, check_number
from trainer.schedule import Schedule

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

log = logging.getLogger(__name__)


class EarlyStopping(Callback):
    """Requests a stop when the metric has not improved for ``patience`` epochs; the loop stops at each epoch.

    The best value so far and the epochs since are part of each checkpoint.

    Args:
        monitor: Metric to watch, such as ``val_loss``.
        mode: ``min`` or ``max``, the end of the metric that is better.
        patience: Number of epochs without a better value before the stop.
        min_delta: Least improvement that counts.

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> stopping = EarlyStopping(monitor="val_accuracy", mode="max", patience=3)
        >>> stopping.state_dict()
        {'best': None, 'epochs_since': 0}
    """

    schedule = Schedule(every_n_epochs=1)

    def __init__(
        self, *, monitor: str = "val_loss", mode: str = "min", patience: int = 10, min_delta: float = 0.0
    ) -> None:
        self._monitor = monitor
        self._sign = 1.0 if check_choice("mode", mode, ("min", "max")) == "min" else -1.0
        self._patience = check_int("patience", patience, minimum=1)
        self._min_delta = check_number("min_delta", min_delta, above=-1e-12)
        self._best: float | None = None
        self._epochs_since = 0
        self._was_there = False

    def on_build(self, build: GraphContext) -> None:
        """Refuses a metric that nothing reports."""
        check_choice("monitor", self._monitor, build.reported_metrics)

    def on_step_end(self, context: Context) -> None:
        """Compares the metric with the best so far; an epoch without an evaluation does not count."""
        value = context.record.metrics.get(self._monitor)
        if value is None:
            return
        self._was_there = True
        if math.isfinite(value) and self._is_better(value):
            self._best, self._epochs_since = value, 0
            return
        self._epochs_since += 1
        if self._epochs_since >= self._patience:
            what = "been a number" if self._best is None else f"improved on {self._best}"
            context.request_stop(f"{self._monitor} has not {what} for {self._epochs_since} epochs")

    def on_train_end(self, context: Context) -> None:
        """Warns if the metric was never reported."""
        if not self._was_there:
            log.warning(
                "%s was never reported; place the callback that reports it before early stopping", self._monitor
            )

    def _is_better(self, value: float) -> bool:
        return self._best is None or self._sign * value < self._sign * self._best - self._min_delta

    def state_dict(self) -> dict[str, Any]:
        """Returns the best value so far and the epochs since."""
        return {"best": self._best, "epochs_since": self._epochs_since}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back the best value and the epochs since."""
        self._best, self._epochs_since = state["best"], state["epochs_since"]
