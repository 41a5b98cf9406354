"""Lower learning rates where a metric no longer improves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.callback import Callback, Context
from trainer.checks import check_choice, check_int, check_number
from trainer.schedule import Schedule
from trainer.state import Improvement

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

log = logging.getLogger(__name__)


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by ``factor`` when the metric has not improved for ``patience`` epochs.

    The rate is a variable of the optimizer and part of each checkpoint, so a resume continues exactly. Keras optimizers
    with a constant learning rate have one; others are refused. The rates of several optimizers are lowered together.

    Args:
        monitor: Metric to watch, such as ``val_loss``.
        mode: ``min`` or ``max``, the end of the metric that is better.
        factor: Factor of each reduction, below 1.
        patience: Number of epochs without a better value before a reduction.
        min_delta: Smallest improvement that counts.
        cooldown: Number of epochs from a reduction to the first that counts again.
        min_learning_rate: Learning rate that is never fallen below.

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> ReduceLROnPlateau(monitor="loss", patience=3).state_dict()
        {'best': None, 'epochs_since': 0, 'cooldown': 0}
    """

    schedule = Schedule(every_n_epochs=1)

    def __init__(
        self,
        *,
        monitor: str = "val_loss",
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_learning_rate: float = 0.0,
    ) -> None:
        self._monitor = monitor
        self._factor = check_number("factor", factor, above=0)
        if self._factor >= 1:
            raise ValueError(f"factor ({factor:g}) must be below 1: it lowers the learning rate")
        self._patience = check_int("patience", patience, minimum=1)
        self._seen = Improvement(
            check_choice("mode", mode, ("min", "max")), check_number("min_delta", min_delta, at_least=0)
        )
        self._cooldown = check_int("cooldown", cooldown, minimum=0)
        self._lowest = check_number("min_learning_rate", min_learning_rate, at_least=0)
        self._cooling = 0

    def on_build(self, build: GraphContext) -> None:
        """Refuses a metric that nothing reports, and an optimizer without a variable of its learning rate."""
        check_choice("monitor", self._monitor, build.reported_metrics)
        self._rates = build.learning_rates
        if without := build.without_rate_variable:
            raise ValueError(
                f"the learning rate of {', '.join(without)} is no variable, but a schedule or a number inside the "
                "graph; give a Keras optimizer a number as its learning_rate, or leave this callback out"
            )

    def on_step_end(self, context: Context) -> None:
        """Lowers the rates, where the metric has not improved for long enough."""
        value = context.record.metrics.get(self._monitor)
        if value is None:
            return
        seen = self._seen
        if self._cooling > 0:
            # As in keras.callbacks.ReduceLROnPlateau, the last epoch of a cooldown counts.
            self._cooling -= 1
            seen = replace(seen, epochs_since=0)
        seen = seen.after(value)
        self._seen = seen = replace(seen, epochs_since=0) if self._cooling > 0 else seen
        if seen.epochs_since >= self._patience:
            self._reduce(context)
            self._cooling, self._seen = self._cooldown, replace(seen, epochs_since=0)

    def _reduce(self, context: Context) -> None:
        before = context.session.run(list(self._rates))
        after = [lowered(float(rate), self._factor, self._lowest) for rate in before]
        for variable, old, new in zip(self._rates, before, after, strict=True):
            if new < float(old):
                variable.load(np.asarray(new, np.asarray(old).dtype), context.session)
                log.info(
                    "epoch %d: learning rate %g -> %g, since %s has not improved for %d epochs",
                    context.record.epoch,
                    float(old),
                    new,
                    self._monitor,
                    self._seen.epochs_since,
                )

    def state_dict(self) -> dict[str, Any]:
        """Returns the best value so far, the epochs since, and those left of a cooldown."""
        return {"best": self._seen.best, "epochs_since": self._seen.epochs_since, "cooldown": self._cooling}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self._seen = replace(self._seen, best=state["best"], epochs_since=state["epochs_since"])
        self._cooling = state["cooldown"]


def lowered(rate: float, factor: float, lowest: float) -> float:
    """Returns a learning rate after a reduction; one that is below ``lowest`` already stays.

    Example:
        >>> lowered(0.1, 0.5, 0.0), lowered(0.1, 0.5, 0.08), lowered(0.1, 0.5, 0.2)
        (0.05, 0.08, 0.1)
    """
    return min(rate, max(rate * factor, lowest))
