"""Session, loop and rollbacks of a run, in a locked directory."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import tensorflow as tf

from trainer.callback import Context, Phase
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.store import DAMAGED, SUPERSEDED
from trainer.errors import CheckpointError, Interrupted, NonFiniteError, TrainerError, describe
from trainer.graph.calls import TrainingGraph
from trainer.graph.data.batching import varying_in
from trainer.graph.data.feeds import DatasetFeed
from trainer.graph.data.pipeline_advice import remedies_for
from trainer.runs.saved_checkpoints import SavedCheckpoints
from trainer.state import RunState, SavedCheckpoint
from trainer.timing import timed
from trainer.training.initial_values import InitialValues
from trainer.training.job import Job
from trainer.training.loop import Loop, Requests, StepResult
from trainer.training.plan import CallLimit, RunLength
from trainer.training.reporter import RunReporter
from trainer.training.resume import Start, newest_of_all
from trainer.training.session import TrainingSession
from trainer.training.time_spent import TimeSpent, time_spent

log = logging.getLogger(__name__)


class Runner:
    """Runner of a job: initialises or restores the session, and runs the loop to the end.

    Args:
        job: Parts of the run.
        graph: Graph of the run.
        session: Open session of the graph; a new run has its initial values already.
        length: Length of the whole run.
        initial_values: Values that a new run starts from, besides initial values of its own.
        requests: Requests from outside while it runs.
        clock: Function that returns monotonic seconds.
    """

    def __init__(
        self,
        job: Job,
        graph: TrainingGraph,
        session: TrainingSession,
        length: RunLength,
        initial_values: InitialValues,
        requests: Requests,
        clock: Callable[[], float],
    ) -> None:
        self._job = job
        self._graph = graph
        self._length = length
        self._transfer = initial_values.transfer
        self._initial_values = initial_values
        self._clock = clock
        self._reporter = RunReporter(job, length)
        self._saved = SavedCheckpoints(job.start.run, job.callbacks.savers, newest_of(job.start))
        self._session = session
        self._steps = 0
        self._requests = requests

    def run(self) -> RunState:
        """Runs to the end; after a rollback, again from an earlier state."""
        start, mode = self._job.start, self._graph.context.mode
        start.run.clean_up()
        config = start.run.write_config(self._job.invocation.config_text)
        self._reporter.started(mode, self._initial_values, config)
        self._reporter.values_given(self._graph.context.given.names)
        if self._transfer is not None:
            self._reporter.variables_loaded(self._transfer)
        began = self._clock()
        try:
            self._open_loop()
            context = self._begin(start.record)
            self._reporter.began_at(context.record)
            set_aside_superseded(start)
            while not self._runs_to_the_end(context):
                context = self._begin(newest_or_none(start))
        except BaseException as error:
            self._reporter.failed(error)
            raise
        spent = self._time_spent(self._clock() - began)
        faster = remedies_for(self._graph.context.graph) if spent.waits_for_input else ()
        self._reporter.finished(context, self._steps, spent, faster)
        return context.record

    def _time_spent(self, total: float) -> TimeSpent:
        secs_of = self._job.callbacks.secs_of
        return time_spent(
            total,
            calls=self._loop.call_secs,
            waited=self._session.waited_secs,
            callbacks=secs_of(Phase.OBSERVE),
            checkpoints=secs_of(Phase.SAVE),
            exports=secs_of(Phase.EXPORT),
        )

    def _secs_so_far(self) -> dict[str, float]:
        waited, secs_of = self._session.waited_secs, self._job.callbacks.secs_of
        computed = max(self._loop.call_secs - waited, 0.0)
        observed, saved = secs_of(Phase.OBSERVE), secs_of(Phase.SAVE)
        return {"compute": computed, "input": waited, "callbacks": observed, "checkpoints": saved}

    def _open_loop(self) -> None:
        """Benchmarks the modes where that was asked for, and makes the loop."""
        if self._session.mode == "measure":
            with timed("benchmarking the modes"):
                rates = self._session.measure(self._clock)
            self._reporter.mode_measured(self._session.mode, rates)
        call_limit = CallLimit(self._job.steps_per_call, self._session.max_steps)
        columns, callbacks = self._graph.context.columns, self._job.callbacks
        self._loop = Loop(
            self._step,
            columns,
            self._length,
            call_limit,
            callbacks,
            self._clock,
            self._requests,
            log_every_n_steps=self._job.log_every_n_steps,
        )
        self._initial_state = self._loop.state_dict()

    def _step(self, count: int) -> StepResult:
        first = contextlib.nullcontext() if self._steps else timed("running the first call into the graph")
        self._steps += count
        mode = self._session.mode
        try:
            with first:
                result = self._session.step(count)
        except (tf.errors.OpError, MemoryError) as error:
            feed = self._graph.feed
            varying = varying_in(str(error), feed.may_vary) if isinstance(feed, DatasetFeed) else ""
            raise TrainerError(varying or f"a step of the model failed: {describe(error)}") from error
        if self._session.mode != mode:
            self._reporter.mode_changed(self._session.mode, "XLA cannot compile the model")
        return result

    def _begin(self, record: CommitRecord | None) -> Context:
        """Sets session and loop to the state of a checkpoint, or to the start."""
        start, session = self._job.start, self._session
        if not session.is_initial:
            with timed("initialising the variables"):
                session.initialise()
        new_rates = session.learning_rates() if self._job.new_learning_rate else ()
        state = RunState(0, 0)
        if record is not None:
            with timed(f"restoring {record.name}"):
                session.restore(start.run.checkpoints / record.name)
            known = {name: value for name, value in record.metrics.items() if value is not None}
            state = RunState(record.epoch, record.global_step, known)
        elif self._transfer is not None:
            with timed(f"loading variables of {self._transfer.prefix}"):
                session.load(self._transfer)
            state = RunState(self._length.epoch_at(session.global_step()), session.global_step())
        for variable, rate in zip(self._graph.context.learning_rates, new_rates, strict=False):
            variable.load(rate, session.session)
        self._loop.load_state_dict(record.state if record else self._initial_state)
        if self._graph.context.rollback is not None:
            self._graph.context.rollback.apply(session.session, self._reporter.rollbacks())
        return Context(
            session=session.session,
            run=start.run,
            record=state,
            total_epochs=self._length.epochs,
            steps_per_epoch=self._length.steps_per_epoch,
            resume_state=self._loop,
            checkpoints=self._saved,
            means_so_far=self._loop.means_so_far,
            secs_so_far=self._secs_so_far,
        )

    def _runs_to_the_end(self, context: Context) -> bool:
        """Runs the loop; returns False where a rollback was requested, and raises any other error."""
        try:
            self._loop.run(context)
        except BaseException as raised:
            error = self._session.explained(raised) if isinstance(raised, NonFiniteError) else raised
            also = self._job.callbacks.on_exception(context, error)
            for other in also:
                log.error("%s", other)
            if context.rollback is not None and not also:
                record = newest_or_none(self._job.start)
                if record is None and (tables := self._session.tables()):
                    raise TrainerError(
                        f"there is no checkpoint to roll back to ({describe(error)}), and at the start the table of "
                        f"{tables[0]} would keep its entries; save earlier (callbacks.checkpoint.every_n_steps)"
                    ) from error
                self._reporter.rolled_back(context.rollback, error, record.name if record else "the start")
                return False
            # A stop without the save that a signal asks for is a failure, not an interruption.
            if isinstance(error, Interrupted) and also:
                raise also[0] from error
            if error is not raised:
                raise error from raised
            raise
        return True


def newest_of(start: Start) -> SavedCheckpoint | None:
    """Returns the checkpoint that a resume starts from, or None."""
    record = start.record
    return SavedCheckpoint(record.name, record.number, record.epoch, record.global_step) if record else None


def newest_or_none(start: Start) -> CommitRecord | None:
    """Returns the newest good checkpoint of the run, or None where there is none yet."""
    try:
        return newest_of_all(start.stores)[1]
    except CheckpointError:
        return None


def set_aside_superseded(start: Start) -> None:
    """Moves damaged checkpoints and those of later steps into folders beside them: these steps run again."""
    if start.record is None:
        return
    for each in start.skipped:
        if each.damaged:
            start.store.set_aside(each.name, DAMAGED)
    for store in start.stores:
        for later in store.records()[0]:
            if later.global_step > start.record.global_step:
                store.set_aside(later.name, SUPERSEDED)
