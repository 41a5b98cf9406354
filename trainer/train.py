"""A run from its parts to its end; plain objects, no config."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainer.callback import Context, Record
from trainer.callback_list import CallbackList
from trainer.checkpoints.differences import check_fits
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.store import DAMAGED, SUPERSEDED, CheckpointStore
from trainer.errors import CallbackError, Interrupted, RequestError, describe
from trainer.graph.build import TrainingGraph, add_calls, open_graph
from trainer.graph.sources import look_at
from trainer.loop import Loop
from trainer.model import Model
from trainer.plan import Pace, RunLength, next_stop
from trainer.runs.facts import utc_now, versions
from trainer.runs.resume import Start
from trainer.runs.summary import file_table
from trainer.session import TrainingSession
from trainer.signals import Signals

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What a run is made of.

    Args:
        name: of the run.
        make_model: called while the graph is open.
        make_optimizer: the same, given the global step.
        data: a source of batches.
        callbacks: in the order of the config.
        start: the directory, and the checkpoint to continue from.
        epochs: to complete, counted from the first start.
        steps_per_epoch: or None for the whole data set.
        steps_per_call: or None to learn it.
        seed: of initial values, the order of the data and random ops.
        compile: ``auto``, ``off`` or ``xla``.
        config_text: YAML, for the run directory.
        command: as typed, for the records.
    """

    name: str
    make_model: Callable[[], Model]
    make_optimizer: Callable[[Any], Any]
    data: Any
    callbacks: CallbackList
    start: Start
    epochs: int
    steps_per_epoch: int | None = None
    steps_per_call: int | None = None
    seed: int = 0
    compile: str = "auto"
    config_text: str = ""
    command: str = ""


def train(job: Job, clock: Callable[[], float] = time.monotonic) -> Record:
    """Runs a job; nothing is created before the graph is built and all names are checked.

    Args:
        job: what to run.
        clock: monotonic seconds.

    Returns:
        Where training ended.

    Raises:
        RequestError: the parts do not fit together; nothing was created.
        CallbackError: the first error in a callback.
        Interrupted: a signal stopped the run; its state was saved.
    """
    errors: list[CallbackError] = []
    with Signals() as signals:
        try:
            graph, length = _build(job)
            signals.check()
            record = _run(job, graph, length, clock, signals)
        finally:
            errors = job.callbacks.close()
    if errors:
        raise errors[0]
    return record


def _build(job: Job) -> tuple[TrainingGraph, RunLength]:
    source = look_at(job.data)
    length = RunLength(job.epochs, job.steps_per_epoch or source.steps_per_epoch)
    if length.steps_per_epoch < 1:
        raise RequestError("the data does not fill one batch; set a smaller data.batch_size")
    opened = open_graph(job.make_model, job.make_optimizer, source, job.seed, _compile_setting(job))
    if job.start.record is not None:
        check_fits(job.start.run.checkpoints / job.start.record.name, opened.build.graph)
    with opened.build.graph.as_default():
        job.callbacks.on_build(opened.build)
        longest_call = next_stop(0, length, job.callbacks.schedules, job.steps_per_call or length.total_steps)
        return add_calls(opened, longest_call), length


def _compile_setting(job: Job) -> str:
    """A resumed run keeps the mode it had: compiled and plain steps differ in their last bits."""
    record = job.start.record
    return str(record.settings.get("compile", job.compile)) if record else job.compile


def _run(job: Job, graph: TrainingGraph, length: RunLength, clock: Callable[[], float], signals: Signals) -> Record:
    run, record = job.start.run, job.start.record
    run.create()
    run.facts = run.read()
    run.write_config(job.config_text)
    run.update(
        status="running",
        name=job.name,
        started=run.facts.get("started", utc_now()),
        command=job.command,
        total_epochs=length.epochs,
        seed=job.seed,
        compile=graph.build.mode.name,
        versions=versions(),
    )
    log.info(_start_line(job, length))
    with TrainingSession(graph) as session:
        session.initialise()
        loop = Loop(
            session.step,
            graph.build.metric_names,
            length,
            Pace(job.steps_per_call, graph.most_steps),
            job.callbacks,
            clock,
            signals.check,
        )
        begin = Record(0, 0)
        if record is not None:
            session.restore(run.checkpoints / record.name)
            _set_aside_what_does_not_count(job.start, record)
            loop.load_state_dict(record.state)
            begin = Record(record.epoch, record.global_step, record.metrics)
        context = Context(session.session, run, begin, length.epochs, length.steps_per_epoch, states=loop)
        _loop_to_the_end(job, loop, context, clock)
    return context.record


def _set_aside_what_does_not_count(start: Start, record: CommitRecord) -> None:
    """Clears the way for checkpoints of the steps that run again, and loses none.

    Those that are damaged, and those of later steps when an earlier checkpoint was asked for.
    """
    store = CheckpointStore(start.run.checkpoints, record.name.rpartition("-")[0])
    for each in start.passed_over:
        if each.damaged:
            store.set_aside(each.name, DAMAGED)
    for later in store.records()[0]:
        if later.global_step > record.global_step:
            store.set_aside(later.name, SUPERSEDED)


def _loop_to_the_end(job: Job, loop: Loop, context: Context, clock: Callable[[], float]) -> None:
    """Runs the loop and writes down how it ended."""
    run, began, first_step = job.start.run, clock(), context.record.global_step
    try:
        loop.run(context)
    except BaseException as error:
        also = job.callbacks.on_exception(context, error)
        for other in also:
            log.error("%s", other)
        status = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) and not also else "failed"
        run.update(status=status, ended=utc_now(), error=describe(error))
        raise
    secs, steps = clock() - began, context.record.global_step - first_step
    run.facts.pop("error", None)
    run.update(
        status="finished",
        ended=utc_now(),
        epoch=context.record.epoch,
        global_step=context.record.global_step,
        metrics=dict(context.record.metrics),
        steps_per_sec=round(steps / secs, 1) if secs > 0 else None,
        stop_reason=context.stop_reason,
    )
    reason = f" (stopped early: {context.stop_reason})" if context.stop_reason else ""
    log.info(
        "finished: epoch %d, %s steps in %.1f s, %s steps/s%s\n%s",
        context.record.epoch,
        f"{steps:,}",
        secs,
        f"{steps / max(secs, 1e-9):,.0f}",
        reason,
        file_table(run.path),
    )


def _start_line(job: Job, length: RunLength) -> str:
    record, how = job.start.record, "new run"
    if record is not None:
        how = f"resumed from {record.name} (epoch {record.epoch}, step {record.global_step:,})"
    return f"{job.name}: {length.epochs} epochs of {length.steps_per_epoch} steps in {job.start.run.path}, {how}"
