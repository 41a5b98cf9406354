"""The number that a job returns: what it is, whether the run reports it, and where the run has written it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.callback import Callback, Context
from trainer.checks import check_choice, suggestion
from trainer.errors import RequestError, TrainerError, describe
from trainer.runs.directory import RunDirectory
from trainer.runs.metric_file import MetricFile, Values
from trainer.runs.saved_checkpoints import monitored_by

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

NAME = "sweep.metric"
"""Name of the callback in a run; the key that sets it, as no callback of a config can have a name with a dot."""


class Objective(Callback):
    """Number that a job returns, and the directory of its run; as a callback it sees what the run will report.

    Args:
        metric: Name of the metric; None for the one that the saver monitors, else the loss.
        mode: ``last`` for the value of the last epoch, ``min`` or ``max`` for that of all epochs.
        is_job: Whether the run is a job of a sweep.

    Example:
        >>> Objective("val_accuracy", "max").metric
        'val_accuracy'
    """

    def __init__(self, metric: str | None = None, mode: str = "last", *, is_job: bool = False) -> None:
        self.metric = metric
        self.mode = mode
        self.is_job = is_job
        self.directory: Path | None = None
        """Directory of the run, once it is known."""
        self.was_finished = False
        """Whether the run was finished before, so that nothing ran."""

    def beside(self, callbacks: Mapping[str, Callback]) -> dict[str, Callback]:
        """Returns the callbacks of a run with this one.

        Args:
            callbacks: Callbacks of the run by name.

        Raises:
            RequestError: A value over all epochs is asked for, and no callback writes the metrics of all epochs.
        """
        written = [path for callback in callbacks.values() for path in callback.writes]
        if self.mode != "last" and RunDirectory(Path()).metrics_file.name not in written:
            raise RequestError(
                f"sweep.mode={self.mode} needs the metrics of all epochs, and no callback writes them; add "
                "callbacks.metrics, or set sweep.mode=last"
            )
        return {**callbacks, NAME: self}

    def on_build(self, build: GraphContext) -> None:
        """Refuses a metric that nothing reports."""
        if self.metric is not None:
            check_choice("sweep.metric", self.metric, build.reported_metrics)

    def on_train_begin(self, context: Context) -> None:
        """Notes the directory."""
        self.directory = context.run.path

    def ended(self) -> str:
        """Returns how the run ended without an error: ``finished``, ``finished before``, or ``interrupted``."""
        if self.was_finished or self.directory is None:
            return "finished before" if self.was_finished else "finished"
        return RunDirectory(self.directory).info().status or "finished"

    def value(self) -> tuple[str, float | None]:
        """Returns name and value of the metric of the run; no value where the run has none.

        Raises:
            TrainerError: The metric was asked for by name, and no epoch has it.
        """
        if self.directory is None:
            return self.metric or "", None
        run = RunDirectory(self.directory)
        file, info = MetricFile(run.metrics_file), run.info()
        file.read()
        values = {**{name: Values(value) for name, value in (info.metrics or {}).items()}, **file.values}
        names = [monitored_by(info.savers).monitor, "loss"] if self.metric is None else [self.metric]
        name = next((each for each in names if each in values), None)
        if name is not None:
            found = values[name].of(self.mode)
            return name, float("nan") if found is None else found
        if self.metric is not None:
            near = suggestion(self.metric, values)
            raise TrainerError(f"sweep.metric ({self.metric!r}): no epoch of {self.directory} has it; {near}")
        return "", None


@contextlib.contextmanager
def key_named() -> Iterator[None]:
    """Names the key of a metric that nothing reports, in place of the callback that noticed it."""
    try:
        yield
    except RequestError as error:
        if error.argument != f"callbacks.{NAME}" or error.__cause__ is None:
            raise
        raise RequestError(describe(error.__cause__), argument=NAME) from error
