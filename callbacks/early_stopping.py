"""Early stopping: the end of a run whose metric no longer improves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trainer.callback import Callback, Context
from trainer.checks import check_bool, check_choice, check_int, check_number, check_optional_number
from trainer.schedule import Schedule
from trainer.state import Improvement

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext
    from trainer.state import RunState

log = logging.getLogger(__name__)


class EarlyStopping(Callback):
    """Requests a stop when the metric has not improved for ``patience`` epochs; the loop stops at each epoch.

    The best value so far and the epochs since are part of each checkpoint. A run that has ended this way goes on, with
    the same bits as one that never stopped, when it is resumed with more patience or without this callback.

    Args:
        monitor: Metric to watch, such as ``val_loss``.
        mode: ``min`` or ``max``, the end of the metric that is better.
        patience: Number of epochs without a better value before the stop.
        min_delta: Smallest improvement that counts.
        baseline: Value that an epoch must improve on to count as better, or None.
        restore_best: Whether exports take the checkpoint with the best value in the place of the last variables; a
            saver must keep it (``keep_best`` of at least 1, with the same ``monitor`` and ``mode``).

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> stopping = EarlyStopping(monitor="val_accuracy", mode="max", patience=3)
        >>> stopping.state_dict()
        {'best': None, 'epochs_since': 0}
    """

    schedule = Schedule(every_n_epochs=1)

    def __init__(
        self,
        *,
        monitor: str = "val_loss",
        mode: str = "min",
        patience: int = 10,
        min_delta: float = 0.0,
        baseline: float | None = None,
        restore_best: bool = False,
    ) -> None:
        self._monitor = monitor
        self._patience = check_int("patience", patience, minimum=1)
        self._seen = Improvement(
            check_choice("mode", mode, ("min", "max")),
            check_number("min_delta", min_delta, at_least=0),
            check_optional_number("baseline", baseline),
        )
        self.needs_best_checkpoint = check_bool("restore_best", restore_best)
        self.best_by = (monitor, mode) if restore_best else None
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
        self._seen = self._seen.after(value)
        if self._seen.epochs_since >= self._patience:
            what = "been a number" if self._seen.best is None else f"improved on {self._seen.best:g}"
            context.request_stop(f"{self._monitor} has not {what} for {self._seen.epochs_since} epochs")

    def on_train_end(self, context: Context) -> None:
        """Chooses the best checkpoint for the exports; warns if the metric was never reported."""
        context.exports_best = context.exports_best or self.needs_best_checkpoint
        if not self._was_there and context.record.metrics.get(self._monitor) is None:
            log.warning(
                "%s was never reported; place the callback that reports it before early stopping", self._monitor
            )

    def goes_on_with(self, state: Mapping[str, Any], record: RunState) -> str | None:
        """Returns the patience that is needed, or None if there is enough."""
        since = int(state.get("epochs_since", 0))
        return f"patience above {since}" if since >= self._patience else None

    def state_dict(self) -> dict[str, Any]:
        """Returns the best value so far and the epochs since."""
        return {"best": self._seen.best, "epochs_since": self._seen.epochs_since}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back the best value and the epochs since."""
        self._seen = replace(self._seen, best=state["best"], epochs_since=state["epochs_since"])
