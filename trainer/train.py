"""A run from its parts to its end; plain objects, no config."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tensorflow as tf

from trainer.callback import Context, Record
from trainer.callback_list import CallbackList
from trainer.checkpoints.differences import check_fits
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.store import DAMAGED, SUPERSEDED, newest_good
from trainer.errors import CallbackError, CheckpointError, Interrupted, RequestError, TrainerError, describe
from trainer.files import check_free_space
from trainer.graph.build import MakeOptimizer, TrainingGraph, add_calls, open_graph
from trainer.graph.sources import look_at
from trainer.graph.variables import variable_bytes
from trainer.loop import Loop, NoRequests, Requests
from trainer.model import Model
from trainer.plan import Pace, RunLength, next_stop
from trainer.runs.lock import RunLock
from trainer.runs.resume import Start, check_unchanged
from trainer.runs.story import RunStory
from trainer.session import TrainingSession

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What a run is made of.

    Args:
        name: of the run.
        make_model: called while the graph is open.
        make_optimizer: the same, given the global step and the scale of the learning rate.
        data: a source of batches.
        callbacks: in the order of the config.
        start: the directory, and the checkpoint to continue from.
        epochs: to complete, counted from the first start.
        steps_per_epoch: or None for the whole data set.
        steps_per_call: or None to learn it.
        seed: of initial values, the order of the data and random ops.
        compile: ``auto``, ``off`` or ``xla``.
        may_roll_back: whether the graph is built for rollbacks.
        new_learning_rate: whether a resume takes the rate of the config instead of the checkpoint's.
        config_text: YAML, for the run directory.
        facts: for ``run.json``: the command, the digest of the config.
    """

    name: str
    make_model: Callable[[], Model]
    make_optimizer: MakeOptimizer
    data: Any
    callbacks: CallbackList
    start: Start
    epochs: int
    steps_per_epoch: int | None = None
    steps_per_call: int | None = None
    seed: int = 0
    compile: str = "auto"
    may_roll_back: bool = False
    new_learning_rate: bool = False
    config_text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def train(job: Job, requests: Requests | None = None, clock: Callable[[], float] = time.monotonic) -> Record:
    """Runs a job; nothing is created before the graph is built and all names are checked.

    Args:
        job: what to run.
        requests: what may come from outside while it runs: stop, save.
        clock: monotonic seconds.

    Returns:
        Where training ended.

    Raises:
        RequestError: the parts do not fit together; nothing was created.
        CallbackError: the first error in a callback.
        NonFiniteError: the loss or a variable is no number.
        Interrupted: a signal stopped the run; its state was saved.
    """
    requests = requests or NoRequests()
    errors: list[CallbackError] = []
    try:
        graph, length = _build(job)
        _check_disk(job, graph)
        requests.check()
        if job.start.is_new:
            job = replace(job, start=job.start.in_new_directory())
        job.start.run.create()
        with RunLock(job.start.run.lock_file):
            check_unchanged(job.start)
            record = _Execution(job, graph, length, requests, clock).run()
    finally:
        errors = job.callbacks.close()
        for error in errors[1:]:
            log.error("%s", error)
    if errors:
        raise errors[0]
    return record


def _build(job: Job) -> tuple[TrainingGraph, RunLength]:
    source = look_at(job.data)
    length = RunLength(job.epochs, job.steps_per_epoch or source.steps_per_epoch)
    if length.steps_per_epoch < 1:
        raise RequestError("the data does not fill one batch; set a smaller data.batch_size")
    _check_length(job.start, length)
    opened = open_graph(
        job.make_model,
        job.make_optimizer,
        source,
        job.seed,
        _compile_setting(job),
        with_rollback=job.may_roll_back,
    )
    if job.start.prefix is not None:
        check_fits(job.start.prefix, opened.build.graph)
    with opened.build.graph.as_default():
        job.callbacks.on_build(opened.build)
        longest_call = next_stop(0, length, job.callbacks.schedules, job.steps_per_call or length.total_steps)
        return add_calls(opened, longest_call), length


def _check_disk(job: Job, graph: TrainingGraph) -> None:
    """Refuses to begin what would end at the first save."""
    try:
        check_free_space(job.start.run.path, variable_bytes(graph.build.graph), "a checkpoint")
    except OSError as error:
        raise RequestError(f"{error.strerror}; free some, or choose another run.root") from error


def _check_length(start: Start, length: RunLength) -> None:
    """Refuses a resume with epochs of another length: all that was counted in epochs would mean something else."""
    before = start.record.settings.get("steps_per_epoch", length.steps_per_epoch) if start.record else None
    if before not in (None, length.steps_per_epoch):
        raise RequestError(
            f"an epoch of this run has {before} steps, and would now have {length.steps_per_epoch}; keep "
            "data.batch_size, loop.steps_per_epoch and the data as they were, or start a new run"
        )


def _compile_setting(job: Job) -> str:
    """A resumed run keeps the mode it had: compiled and plain steps differ in their last bits."""
    record = job.start.record
    return str(record.settings.get("compile", job.compile)) if record else job.compile


class _Execution:
    """A job with its graph, in its locked directory."""

    def __init__(
        self, job: Job, graph: TrainingGraph, length: RunLength, requests: Requests, clock: Callable[[], float]
    ) -> None:
        self._job = job
        self._graph = graph
        self._length = length
        self._clock = clock
        self._story = RunStory(job.name, job.start, length)
        self._session = TrainingSession(graph)
        self._steps = 0
        self._requests = requests

    def run(self) -> Record:
        """Runs to the end; after a rollback, again from an earlier state."""
        start, mode = self._job.start, self._graph.build.mode
        start.run.clean_up()
        start.run.write_config(self._job.config_text)
        self._story.begin(**self._job.facts, seed=self._job.seed, compile=mode.name, compile_reason=mode.reason)
        began = self._clock()
        with self._session:
            self._open_loop()
            context = self._begin(start.record)
            set_aside_what_does_not_count(start)
            while not self._runs_to_the_end(context):
                context = self._begin(newest_or_none(start))
        self._story.finished(context, self._steps, self._clock() - began)
        return context.record

    def _open_loop(self) -> None:
        """Decides the mode where that was left to a clock, and makes the loop."""
        if self._session.mode == "measure":
            rates = self._session.measure(self._clock)
            self._story.measured(self._session.mode, rates)
        pace = Pace(self._job.steps_per_call, self._session.most_steps)
        names, callbacks = self._graph.build.metric_names, self._job.callbacks
        self._loop = Loop(self._step, names, self._length, pace, callbacks, self._clock, self._requests)
        self._initial_state = self._loop.state_dict()

    def _step(self, count: int) -> Any:
        self._steps += count
        mode = self._session.mode
        try:
            values = self._session.step(count)
        except tf.errors.OpError as error:
            raise TrainerError(f"a step of the model failed: {describe(error)}") from error
        if self._session.mode != mode:
            self._job.start.run.update(compile=self._session.mode, compile_reason="XLA cannot compile the model")
        return values

    def _begin(self, record: CommitRecord | None) -> Context:
        """Puts session and loop where a checkpoint has them, or at the very beginning."""
        start, session = self._job.start, self._session
        session.initialise()
        begin = Record(0, 0)
        if record is not None:
            session.restore(start.run.checkpoints / record.name)
            known = {name: value for name, value in record.metrics.items() if value is not None}
            begin = Record(record.epoch, record.global_step, known)
        elif start.foreign is not None:
            session.restore(start.foreign)
            begin = Record(self._length.epoch_at(session.global_step()), session.global_step())
        if self._job.new_learning_rate and self._graph.build.learning_rate is not None:
            session.session.run(self._graph.build.learning_rate.initializer)
        self._loop.load_state_dict(record.state if record else self._initial_state)
        if self._graph.build.rollback is not None:
            self._graph.build.rollback.apply(session.session, self._story.rollbacks())
        return Context(
            session.session, start.run, begin, self._length.epochs, self._length.steps_per_epoch, states=self._loop
        )

    def _runs_to_the_end(self, context: Context) -> bool:
        """Runs the loop; returns False where a rollback was asked for, and raises what else went wrong."""
        try:
            self._loop.run(context)
        except BaseException as error:
            also = self._job.callbacks.on_exception(context, error)
            for other in also:
                log.error("%s", other)
            if context.rollback is not None and not also:
                record = newest_or_none(self._job.start)
                self._story.rolled_back(context.rollback, error, record.name if record else "the beginning")
                return False
            # A signal that could not be followed by a save is a failure, not an interruption.
            if isinstance(error, Interrupted) and also:
                self._story.failed(also[0])
                raise also[0] from error
            self._story.failed(error)
            raise
        return True


def newest_or_none(start: Start) -> CommitRecord | None:
    """Returns the newest good checkpoint of the run, or None where there is none yet."""
    try:
        return newest_good(start.store)[0]
    except CheckpointError:
        return None


def set_aside_what_does_not_count(start: Start) -> None:
    """Clears the way for checkpoints of the steps that run again, and loses none.

    Those that are damaged, and those of later steps when an earlier checkpoint was asked for.
    """
    if start.record is None:
        return
    for each in start.passed_over:
        if each.damaged:
            start.store.set_aside(each.name, DAMAGED)
    for later in start.store.records()[0]:
        if later.global_step > start.record.global_step:
            start.store.set_aside(later.name, SUPERSEDED)
