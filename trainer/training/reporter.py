"""Reports on a run while it goes on: log lines for the user, ``run.json`` for programs."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainer.callback import Context
from trainer.checkpoints.restoring.transfer_plan import Transfer
from trainer.checks import finite_or_none
from trainer.errors import Interrupted, NonFiniteError, describe
from trainer.graph.compiling.compile_rule import Mode
from trainer.runs.history import HistoryEntry, with_last, with_start
from trainer.runs.run_info import RollbackEntry
from trainer.runs.versions import changed, versions
from trainer.state import Rollback, RunState
from trainer.timing import utc_now
from trainer.training.file_table import file_table
from trainer.training.initial_values import InitialValues
from trainer.training.job import Job
from trainer.training.plan import RunLength
from trainer.training.time_spent import TimeSpent

log = logging.getLogger(__name__)

FEW = 3
"""Max number of names of variables in a line."""


class RunReporter:
    """Reports how a run started, what happened to it and how it ended.

    Args:
        job: Parts of the run.
        length: Length of the whole run.
    """

    def __init__(self, job: Job, length: RunLength) -> None:
        self._job = job
        self._start = job.start
        self._run = job.start.run
        self._length = length

    def started(self, mode: Mode, initial_values: InitialValues, config: Path) -> None:
        """Reports that the directory is there and nothing has run yet.

        Args:
            mode: Compile mode of the steps.
            initial_values: Values that the run starts from.
            config: Path of the composed config of this process.
        """
        job, invocation = self._job, self._job.invocation
        entry, last_seen = self._entry(config.name), self._run.last_seen()
        self._run.update(
            lambda info: replace(
                info,
                status="running",
                name=job.name,
                started=info.started or utc_now(),
                total_epochs=self._length.epochs,
                versions=versions(),
                command=invocation.command,
                config_digest=invocation.config_digest,
                changes=invocation.changes,
                seed=job.seed,
                compile=mode.name,
                compile_reason=mode.reason,
                savers=job.callbacks.savers,
                trunks=tuple(initial_values.trunks) or info.trunks,
                tables=tuple(initial_values.tables) or info.tables,
                error=None,
                stop_reason=None,
                stopped_by=None,
                history=with_start(info.history, entry, last_seen),
            )
        )
        if not job.callbacks.savers:
            log.warning("no callback saves checkpoints, so this run cannot be resumed")
        if differences := self._other_versions():
            log.warning("resumed with other versions (%s); the last bits of the numbers may differ", differences)
        epochs, steps = _count(self._length.epochs, "epoch"), _count(self._length.steps_per_epoch, "step")
        log.info("%s: %s of %s in %s, %s", job.name, epochs, steps, self._run.path, self._how())

    def _entry(self, config: str) -> HistoryEntry:
        record, invocation = self._start.record, self._job.invocation
        return HistoryEntry(
            started=utc_now(),
            epoch=record.epoch if record else 0,
            global_step=record.global_step if record else 0,
            host=socket.gethostname(),
            command=invocation.command,
            overrides=invocation.overrides,
            changes=invocation.changes,
            config=config,
        )

    def began_at(self, state: RunState) -> None:
        """Reports the state that the first step begins from, where no commit record has said it."""
        if self._start.record is None and state.global_step:
            at: dict[str, Any] = {"epoch": state.epoch, "global_step": state.global_step}
            self._run.update(lambda info: replace(info, history=with_last(info.history, **at)))

    def _how(self) -> str:
        record = self._start.record
        if record is not None:
            return f"resumed from {record.name} (epoch {record.epoch}, step {record.global_step:,})"
        if self._start.external is not None:
            return "continued from an external checkpoint"
        return "new run"

    def values_given(self, names: Sequence[str]) -> None:
        """Reports the variables and tables that a new run starts with the values of a constructor."""
        if names and self._start.record is None and self._start.external is None:
            few = f" ({', '.join(names)})" if len(names) <= FEW else ""
            log.info("%s%s: values from the constructor", _count(len(names), "variable"), few)

    def _other_versions(self) -> str:
        record = self._start.record
        return changed(record.settings.get("versions", {}), versions()) if record is not None else ""

    def variables_loaded(self, transfer: Transfer) -> None:
        """Reports the variables that the run takes from another checkpoint."""
        if self._start.external is None:
            self._run.update(lambda info: replace(info, warm_start=transfer.to_json()))
            log.info("warm start: %s", transfer.line())
        else:
            self._run.update(lambda info: replace(info, resumed_from=transfer.to_json()))
            log.info("resumed from: %s", transfer.line())
        log.debug("%s", transfer.table())

    def mode_measured(self, mode: str, rates: Mapping[str, float]) -> None:
        """Reports the mode that a benchmark at the start has selected."""
        figures = ", ".join(f"{name} {rate:,.0f} steps/s" for name, rate in rates.items()) or "one mode only"
        log.info("benchmarked: %s; using compile=%s", figures, mode)
        self.mode_changed(mode, f"benchmarked: {figures}")

    def mode_changed(self, mode: str, reason: str) -> None:
        """Records another mode of the steps than the one that the run started with."""
        self._run.update(lambda info: replace(info, compile=mode, compile_reason=reason))

    def rolled_back(self, rollback: Rollback, error: BaseException, to: str) -> None:
        """Reports that the run goes on from an earlier state."""
        log.warning("%s; rolled back to %s without the batch of step %s", error, to, f"{rollback.skip_step:,}")
        entry = RollbackEntry(rollback.skip_step, rollback.rate_factor, to, str(error))
        self._run.update(lambda info: replace(info, rollbacks=(*info.rollbacks, entry)))

    def rollbacks(self) -> list[Rollback]:
        """Returns all rollbacks of the run, those of earlier processes included."""
        return [entry.rollback for entry in self._run.info().rollbacks]

    def failed(self, error: BaseException) -> None:
        """Reports that the run did not end in good order."""
        status = "interrupted" if isinstance(error, Interrupted) else "failed"
        end: dict[str, Any] = {"status": status, "ended": utc_now(), "error": describe(error)}
        self._run.update(lambda info: replace(info, **end, history=with_last(info.history, **end)))
        if isinstance(error, NonFiniteError):
            good = self._run.info().newest_checkpoint or "none was saved yet"
            log.error("newest good checkpoint: %s", good)

    def finished(self, context: Context, steps: int, spent: TimeSpent, remedies: Sequence[str] = ()) -> None:
        """Reports that the run ended in good order.

        Args:
            context: Context of the run, at its end.
            steps: Number of steps in this process.
            spent: Seconds in this process.
            remedies: What could make the input faster, where it is the bottleneck.
        """
        record, rate = context.record, steps / max(spent.total, 1e-9)
        status = "interrupted" if context.stop_is_pause else "finished"
        end: dict[str, Any] = {"status": status, "ended": utc_now()}
        self._run.update(
            lambda info: replace(
                info,
                **end,
                history=with_last(info.history, **end),
                epoch=record.epoch,
                global_step=record.global_step,
                metrics=finite_or_none(record.metrics),
                steps_per_sec=round(rate, 1),
                secs={name: round(secs, 3) for name, secs in asdict(spent).items()},
                stop_reason=context.stop_reason,
                stopped_by=context.stopped_by,
            )
        )
        how = "paused" if context.stop_is_pause else "stopped early"
        early = f" ({how}: {context.stop_reason})" if context.stop_reason else ""
        speed = f"{steps:,} steps in {spent.total:.1f} s, {rate:,.0f} steps/s"
        log.info("finished: epoch %d, %s%s", record.epoch, speed, early)
        log.info("time: %s%s", spent.line(), spent.slowest(self._job.callbacks.secs))
        if remedies and steps:
            log.info("%s", spent.advice(steps, remedies))
        log.info("%s", file_table(self._run.path))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
