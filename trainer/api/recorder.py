"""Callback that records what a training from Python returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.api.result import stored_metrics
from trainer.callback import Callback, Context
from trainer.errors import Interrupted

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

ReadValues = Callable[["GraphContext"], Callable[[Any], Any]]
"""Function of the open graph that returns a function of the session, which reads values."""


class Recorder(Callback):
    """Records the metrics of each epoch, the directory of the run, and values at its end.

    Args:
        read_values: Function that prepares the values to read at the end, or None.

    Example:
        >>> Recorder().metrics
        []
    """

    def __init__(self, *, read_values: ReadValues | None = None) -> None:
        self._read_values = read_values
        self._read: Callable[[Any], Any] | None = None
        self.metrics: list[dict[str, float]] = []
        """Metrics of each epoch so far."""
        self.has_begun = False
        """Whether the run has begun; its directory is there since then."""
        self.directory = Path()
        """Directory of the run, once it has begun."""
        self.stop_reason: str | None = None
        """Reason of an early stop, once the run has ended."""
        self.values: Any = None
        """Values at the end of the run; None where it did not end, or nothing is read."""

    def on_build(self, build: GraphContext) -> None:
        """Prepares the reading of values."""
        if self._read_values is not None:
            self._read = self._read_values(build)

    def on_train_begin(self, context: Context) -> None:
        """Takes the epochs of earlier processes from the run's file of metrics."""
        known = {each["epoch"]: each for each in [*stored_metrics(context.run.metrics_file), *self.metrics]}
        self.metrics = [known[epoch] for epoch in sorted(known) if epoch <= context.record.epoch]
        self.has_begun, self.directory = True, context.run.path

    def on_epoch_end(self, context: Context) -> None:
        """Records the metrics of the epoch; an epoch whose end is told twice counts once."""
        record = context.record
        if self.metrics and self.metrics[-1]["epoch"] == record.epoch:
            self.metrics.pop()
        self.metrics.append({"epoch": record.epoch, "global_step": record.global_step, **record.metrics})

    def on_train_end(self, context: Context) -> None:
        """Reads the values."""
        self.stop_reason = context.stop_reason
        self._read_from(context)

    def on_exception(self, context: Context, error: BaseException) -> None:
        """Reads the values where a signal has stopped the run."""
        if isinstance(error, Interrupted):
            self._read_from(context)

    def close(self) -> None:
        """Lets go of the graph, which the result outlives."""
        self._read = None

    def _read_from(self, context: Context) -> None:
        if self._read is not None:
            self.values = self._read(context.session)
