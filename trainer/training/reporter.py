"""What is told of a run while it goes on: lines for a person, ``run.json`` for programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trainer.callback import Context
from trainer.checkpoints.restoring.transfer_plan import Transfer
from trainer.checks import finite_or_none
from trainer.errors import Interrupted, NonFiniteError, describe
from trainer.runs.versions import versions
from trainer.state import Rollback
from trainer.timing import utc_now
from trainer.training.file_table import file_table
from trainer.training.plan import RunLength
from trainer.training.resume import Start
from trainer.training.time_spent import TimeSpent

log = logging.getLogger(__name__)


class RunReporter:
    """Tells how a run began, what happened to it, how it ended.

    Args:
        name: of the run.
        start: its directory and the checkpoint that it continues from.
        length: of the whole run.
    """

    def __init__(self, name: str, start: Start, length: RunLength) -> None:
        self._name = name
        self._start = start
        self._run = start.run
        self._length = length

    def begin(self, **facts: Any) -> None:
        """The directory is there and nothing has run yet."""
        self._run.facts = self._run.read()
        self._run.facts.pop("error", None)
        self._run.update(
            status="running",
            name=self._name,
            started=self._run.facts.get("started", utc_now()),
            total_epochs=self._length.epochs,
            versions=versions(),
            **facts,
        )
        epochs = f"{self._length.epochs} epochs of {self._length.steps_per_epoch} steps"
        log.info("%s: %s in %s, %s", self._name, epochs, self._run.path, self._how())

    def _how(self) -> str:
        record = self._start.record
        if record is not None:
            return f"resumed from {record.name} (epoch {record.epoch}, step {record.global_step:,})"
        if self._start.external is not None:
            return "continued from files of others"
        return "new run"

    def variables_loaded(self, transfer: Transfer) -> None:
        """The run begins with variables of a checkpoint of others."""
        how = "warm_start" if self._start.external is None else "resumed_from"
        self._run.update(**{how: transfer.facts()})
        log.info("%s: %s", how.replace("_", " "), transfer.line())
        log.debug("%s", transfer.table())

    def mode_measured(self, mode: str, rates: Mapping[str, float]) -> None:
        """The mode was decided by a clock."""
        figures = ", ".join(f"{name} {rate:,.0f} steps/s" for name, rate in rates.items()) or "one way only"
        log.info("measured: %s; taken: loop.compile=%s", figures, mode)
        self._run.update(compile=mode, compile_reason=f"measured: {figures}")

    def rolled_back(self, rollback: Rollback, error: BaseException, to: str) -> None:
        """The run goes on from an earlier state."""
        log.warning("%s; rolled back to %s without the batch of step %s", error, to, f"{rollback.skip_step:,}")
        entry = {"step": rollback.skip_step, "rate_factor": rollback.rate_factor, "to": to, "reason": str(error)}
        self._run.update(rollbacks=[*self._run.facts.get("rollbacks", []), entry])

    def rollbacks(self) -> list[Rollback]:
        """Returns all rollbacks of the run, those of earlier processes included."""
        return [Rollback(each["step"], each["rate_factor"]) for each in self._run.facts.get("rollbacks", [])]

    def failed(self, error: BaseException) -> None:
        """The run did not end in good order."""
        status = "interrupted" if isinstance(error, Interrupted) else "failed"
        self._run.update(status=status, ended=utc_now(), error=describe(error))
        if isinstance(error, NonFiniteError):
            good = self._run.facts.get("newest_checkpoint") or "none was saved yet"
            remedy = "lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback"
            log.error("the newest good checkpoint: %s; %s", good, remedy)

    def finished(self, context: Context, steps: int, spent: TimeSpent) -> None:
        """The run ended in good order, after so many steps and seconds in this process."""
        record, rate = context.record, steps / max(spent.total, 1e-9)
        self._run.update(
            status="finished",
            ended=utc_now(),
            epoch=record.epoch,
            global_step=record.global_step,
            metrics=finite_or_none(record.metrics),
            steps_per_sec=round(rate, 1),
            secs={name: round(secs, 3) for name, secs in asdict(spent).items()},
            stop_reason=context.stop_reason,
        )
        early = f" (stopped early: {context.stop_reason})" if context.stop_reason else ""
        speed = f"{steps:,} steps in {spent.total:.1f} s, {rate:,.0f} steps/s"
        log.info("finished: epoch %d, %s%s", record.epoch, speed, early)
        log.info("time: %s", spent.line())
        if advice := spent.advice(steps):
            log.info("%s", advice)
        log.info("%s", file_table(self._run.path))
