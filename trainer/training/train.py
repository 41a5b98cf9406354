"""A run from its parts to its end: build, check, lock, run, close."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from trainer.errors import CallbackError, RequestError
from trainer.files import check_free_space
from trainer.graph.build import open_graph
from trainer.graph.calls import TrainingGraph, add_calls
from trainer.graph.data.background_call import in_background
from trainer.graph.data.data_source import COUNT_SECS, RESUMED_COUNT_SECS, DataSource, inspect_source
from trainer.graph.data.debug_sources import changed_source
from trainer.graph.forward.precision import computed_in, tell_precision
from trainer.graph.ops.devices import building
from trainer.graph.ops.row_reads import rows_read_alone
from trainer.graph.ops.variables import variable_bytes
from trainer.graph.state.keras_state import keras_state_kept
from trainer.runs.lock import RunLock
from trainer.state import RunState
from trainer.timing import timed
from trainer.training.initial_values import InitialValues, check_initial_values
from trainer.training.job import Job
from trainer.training.loop import NoRequests, Requests
from trainer.training.plan import RunLength, next_stop
from trainer.training.resume import Start, check_unchanged
from trainer.training.runner import Runner
from trainer.training.session import TrainingSession

log = logging.getLogger(__name__)


def train_job(job: Job, requests: Requests | None = None, clock: Callable[[], float] = time.monotonic) -> RunState:
    """Runs a job; nothing is created before the graph is built and all names are checked.

    Args:
        job: Parts of the run.
        requests: Requests from outside while it runs: stop, save.
        clock: Function that returns monotonic seconds.

    Returns:
        State of training at the end.

    Raises:
        RequestError: The parts do not fit together; nothing was created.
        CallbackError: A callback failed; it is the first error.
        NonFiniteError: The loss or a variable is not finite.
        Interrupted: A signal stopped the run; its state was saved.
    """
    requests = requests or NoRequests()
    errors: list[CallbackError] = []
    try:
        with requests.at_once():
            counting = RESUMED_COUNT_SECS if job.start.record else COUNT_SECS
            source = changed_source(inspect_source(job.data, counting), job.debug)
            with timed("building the graph"), computed_in(job.precision), keras_state_kept(), rows_read_alone():
                graph, length, initial_values = build(job, source)
            _check_disk(job, graph)
        with TrainingSession(graph, clock) as session:
            # Before anything is made: where a variable, a table or the data fails, no directory is left.
            with requests.at_once(), timed("initialising the variables"):
                in_background(session.initialise)
                if job.callbacks.savers:
                    session.check_savable()
            if job.start.is_new:
                job = replace(job, start=job.start.in_new_directory())
            job.start.run.create()
            with RunLock(job.start.run.lock_file):
                check_unchanged(job.start)
                record = Runner(job, graph, session, length, initial_values, requests, clock).run()
    finally:
        errors = job.callbacks.close()
        for error in errors[1:]:
            log.error("%s", error)
    if errors:
        raise errors[0]
    return record


def build(job: Job, source: DataSource) -> tuple[TrainingGraph, RunLength, InitialValues]:
    """Builds the graph of a job.

    Returns:
        Graph, length of the run, and the values that it starts from.

    Raises:
        RequestError: The parts do not fit together.
    """
    length = RunLength(job.epochs, job.steps_per_epoch or source.steps_per_epoch)
    if length.steps_per_epoch < 1:
        raise RequestError("the data does not fill one batch; set a smaller batch_size", argument="batch_size")
    _check_length(job.start, length)
    opened = open_graph(
        job.make_model,
        job.make_optimizer,
        source,
        job.seed,
        _compile_setting(job),
        steps_per_epoch=length.steps_per_epoch,
        with_rollback=job.may_roll_back,
        trainable=job.trainable,
    )
    tell_precision(job.precision, opened.context.model)
    with building(opened.context.graph):
        job.callbacks.on_build(opened.context)
        # After the callbacks: their variables are in the checkpoints too.
        initial_values = check_initial_values(job, opened.context)
        longest_call = next_stop(0, length, job.callbacks.schedules, job.steps_per_call or length.total_steps)
        return add_calls(opened, longest_call, length.total_steps), length, initial_values


def _check_disk(job: Job, graph: TrainingGraph) -> None:
    """Refuses a run that would end at its first save."""
    try:
        check_free_space(job.start.run.path, variable_bytes(graph.context.graph), "a checkpoint")
    except OSError as error:
        raise RequestError(f"{error.strerror}; free some, or choose another directory", argument="root") from error


def _check_length(start: Start, length: RunLength) -> None:
    """Refuses a resume with epochs of another length: everything that is counted in epochs would change its meaning."""
    before = start.record.settings.get("steps_per_epoch", length.steps_per_epoch) if start.record else None
    if before not in (None, length.steps_per_epoch):
        raise RequestError(
            f"an epoch of this run has {before} steps, and would now have {length.steps_per_epoch}; keep "
            "batch_size, steps_per_epoch and the data as they were, or start a new run"
        )


def _compile_setting(job: Job) -> str:
    """Returns the setting of a new run, or the mode that a resumed run had: the modes differ in their last bits."""
    record = job.start.record
    return str(record.settings.get("compile", job.compile)) if record else job.compile
