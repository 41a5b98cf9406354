"""Preparation of a run, before TensorFlow is needed: its start, its warm start, the changes that a resume accepts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.weight_files import weights_at
from trainer.errors import RequestError
from trainer.runs.directory import RunDirectory
from trainer.runs.saved_checkpoints import resume_prefixes
from trainer.runs.settings import Settings
from trainer.state import RunState
from trainer.timing import timed
from trainer.training.callback_list import CallbackList
from trainer.training.job import Job
from trainer.training.resume import Request, Start, decide
from trainer.warm_start import WarmStart

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedRun:
    """Run whose start is decided.

    Args:
        settings: Plain settings of the run.
        callbacks: Callbacks in running order.
        start: Run directory, and the checkpoint to continue from.
        warm_start: Warm start with the path of one checkpoint, or None.
        changes: Settings that a resume changes.
    """

    settings: Settings
    callbacks: CallbackList
    start: Start
    warm_start: WarmStart | None
    changes: Sequence[Any]

    @property
    def is_complete(self) -> bool:
        """True where the run has ended and there is nothing left to do."""
        return self.start.is_finished or bool(self.completion)

    @property
    def completion(self) -> str:
        """Reason why there is nothing left to do, for a message; '' if there is."""
        record, info = self.start.record, self.start.run.info()
        if record is None or not info.is_finished:
            return ""
        if record.epoch >= self.settings.epochs:
            return completed(record.epoch, self.settings.epochs)
        if info.stop_reason is None:
            return ""
        progress = f"stopped early at epoch {record.epoch} of {self.settings.epochs}: {info.stop_reason}"
        if info.stopped_by is None:  # by a version that did not record it
            return progress if info.total_epochs == self.settings.epochs else ""
        states = record.state.get("callbacks", {})
        state = RunState(record.epoch, record.global_step, {})
        needed = self.callbacks.goes_on_with(info.stopped_by, states, state)
        name = f"callbacks.{info.stopped_by}"
        with_it = f"with {name}.{needed}, or " if needed else ""
        return "" if needed is None else f"{progress}; it goes on {with_it}without {name}"

    def tell(self) -> None:
        """Reports the checkpoints that are skipped and the settings that change."""
        for each in self.start.skipped:
            log.warning("skipped: %s", each.reason)
        for change in self.changes:
            log.info("changed: %s", change)

    def job(self, **parts: Any) -> Job:
        """Returns the job of the run.

        Args:
            parts: Arguments of ``Job`` that the settings do not give: model, optimizer, data and invocation.
        """
        settings = self.settings
        return Job(
            name=settings.name,
            callbacks=self.callbacks,
            start=self.start,
            warm_start=self.warm_start,
            trainable=settings.trainable,
            epochs=settings.epochs,
            steps_per_epoch=settings.steps_per_epoch,
            steps_per_call=settings.steps_per_call,
            log_every_n_steps=settings.log_every_n_steps,
            seed=settings.seed,
            compile=settings.compile,
            precision=settings.precision,
            **parts,
        )


def prepare(
    settings: Settings,
    callbacks: CallbackList,
    accept: Callable[[Path], Sequence[Any]],
    now: datetime | None = None,
    is_own: Callable[[RunDirectory], bool] | None = None,
) -> PreparedRun:
    """Decides where a run starts; reads the disk and changes nothing.

    Args:
        settings: Plain settings of the run.
        callbacks: Callbacks in running order.
        accept: Function that compares the settings with those that the run in a directory has stored; it returns
            the changes that a resume accepts.
        now: Time for the name of a new directory; None for this moment.
        is_own: Function that returns whether a run has these very settings, for a job of a sweep, whose runs share
            their name with those of the other jobs; None where the newest run of the name is meant.

    Raises:
        RequestError: The request cannot be carried out; nothing was created.
        CheckpointError: There are checkpoints, but none is good.
    """
    with timed("finding the run and verifying its newest checkpoint"):
        prefixes = resume_prefixes(callbacks.savers)
        given = (settings.resume, settings.root, settings.name, settings.run_dir, prefixes)
        start = decide(Request(*given, now=now or datetime.now(), is_own=is_own))
    warm_start = _resolved(settings.warm_start, start)
    changes = accept(start.run.path) if start.record is not None else []
    return PreparedRun(settings, callbacks, start, warm_start, changes)


def _resolved(warm_start: WarmStart | None, start: Start) -> WarmStart | None:
    """Resolves the path of a warm start to one checkpoint before slow work starts; None for a resume."""
    if warm_start is None or start.record is not None:
        return None
    if start.external is not None:
        raise RequestError(f"resume={start.external} restores everything; leave out warm_start.path={warm_start.path}")
    if found := weights_at(warm_start.path):
        return replace(warm_start, path=found[1])
    try:
        return replace(warm_start, path=resolve_checkpoint(warm_start.path).prefix)
    except RequestError as error:
        raise RequestError(f"warm_start.path: {error}") from error


def completed(epoch: int, epochs: int) -> str:
    """Returns why a run of ``epochs`` epochs has nothing left to do at ``epoch``.

    Example:
        >>> completed(30, 30), completed(30, 20)
        ('epoch 30 of 30 is complete', 'epoch 30 is complete and loop.epochs is 20; set it to more than 30 to continue')
    """
    if epoch > epochs:
        return f"epoch {epoch} is complete and loop.epochs is {epochs}; set it to more than {epoch} to continue"
    return f"epoch {epoch} of {epochs} is complete"
