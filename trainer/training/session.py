"""The session of a run: opened, initialised or restored, stepped, closed."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checkpoints.restoring.restore import assign, restore_all
from trainer.checkpoints.restoring.transfer_plan import Transfer
from trainer.errors import CheckpointError, NonFiniteError, RequestError, TrainerError, describe
from trainer.graph.calls import FusedSteps, TrainingGraph
from trainer.graph.compiling.session_config import session_config
from trainer.graph.data.background_call import closing_in_time
from trainer.graph.state.run_savers import is_variable, origin_of, saved_tensors
from trainer.timing import timed
from trainer.training.inquiry import Inquiry
from trainer.training.loop import StepResult

v1 = tf.compat.v1
log = logging.getLogger(__name__)

NOT_COMPILED = (
    "Detected unsupported operations",
    "not compilable",
    "XLA compilation",
    "must be a compile-time constant",
)
"""Texts in TensorFlow's errors where XLA cannot compile a graph, before anything has run."""


class TrainingSession:
    """Session over the finalized graph, which is the default one inside the ``with`` block.

    Args:
        graph: Graph of the run; finalized when the session is entered.
        clock: Function that returns monotonic seconds.
    """

    def __init__(self, graph: TrainingGraph, clock: Callable[[], float] = time.monotonic) -> None:
        self._graph = graph
        self._clock = clock
        self.mode = graph.context.mode.name
        """Mode of the steps: ``off`` or ``xla``; ``measure`` until that is decided."""
        self.waited_secs = 0.0
        """Seconds that all calls so far have waited for batches."""
        self.is_initial = False
        """Whether the session holds initial values: initialised, and neither restored nor stepped since."""

    def __enter__(self) -> TrainingSession:
        graph = self._graph.context.graph
        graph.finalize()
        # A Saver refuses to work where no graph is the default one.
        with timed("opening the session"), contextlib.ExitStack() as stack:
            stack.enter_context(graph.as_default())
            self.session = stack.enter_context(closing_in_time(v1.Session(graph=graph, config=self._config())))
            self._stack = stack.pop_all()
        self._inquiry = Inquiry(self._graph, self.session, self._clock)
        self.use(self.mode)
        return self

    def _config(self) -> Any:
        definition = self._graph.update_graph.as_graph_def()
        inside = sum(len(function.node_def) for function in definition.library.function)
        return session_config(len(definition.node) + inside)

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def initialise(self) -> None:
        """Initialises every variable and table, gives them a constructor's values, and fills the feed.

        Raises:
            TrainerError: An initial value, a table or the data cannot be computed or read.
        """
        self._inquiry.forget()
        try:
            self.session.run([self._graph.initialise, self._graph.initialise_tables])
            self._graph.context.given.give(self.session)
            self._graph.feed.initialise(self.session)
        except (tf.errors.OpError, MemoryError) as error:
            raise TrainerError(f"variables, tables or data cannot be initialised: {describe(error)}") from error
        self.is_initial = True

    def check_savable(self) -> None:
        """Reads once what a save reads besides the variables: tables, pipelines and the like.

        Raises:
            RequestError: Something could not be saved, or not be restored into a session like this one.
        """
        others = [each for each in saved_tensors(self._graph.context.saver) if not is_variable(each)]
        for each in others:
            try:
                self.session.run(each.tensor.op)
            except tf.errors.OpError as error:
                raise RequestError(
                    f"{each.key} cannot be saved, so this run could not be resumed ({describe(error)}); leave it out "
                    "of the collection SAVEABLE_OBJECTS, or, if it is not initialised, add its initializer to the "
                    "collection TABLE_INITIALIZERS"
                ) from error

    def tables(self) -> list[str]:
        """Returns the names of mutable look-up tables, which keep their entries when variables are initialised."""
        saved = saved_tensors(self._graph.context.saver)
        return [each.key for each in saved if origin_of(each.tensor).op.type.startswith("LookupTableExport")]

    def restore(self, prefix: Path) -> None:
        """Restores every variable, and the position of a data pipeline.

        Args:
            prefix: Prefix of the checkpoint's files; ``check_fits`` must have accepted them.

        Raises:
            CheckpointError: The files cannot be read, or a data pipeline cannot take its position back.
        """
        self.is_initial = False
        try:
            restore_all(self._graph.context.restorer, self.session, prefix)
        except (tf.errors.OpError, ValueError) as error:
            raise CheckpointError(f"{prefix} cannot be restored: {describe(error)}") from error

    def load(self, transfer: Transfer) -> None:
        """Loads variables from another checkpoint.

        Raises:
            CheckpointError: The files can no longer be read.
        """
        self.is_initial = False
        if transfer.by_saver:
            self.restore(transfer.prefix)
        else:
            assign(transfer, self.session)

    def global_step(self) -> int:
        """Returns the number of updates of the variables."""
        return int(self.session.run(self._graph.context.global_step))

    def learning_rates(self) -> Sequence[Any]:
        """Returns the constant learning rates that are variables, float32 scalars."""
        return list(self.session.run(list(self._graph.context.learning_rates)))

    @property
    def max_steps(self) -> int:
        """Greatest number of steps in a call."""
        return self._calls.max_steps

    def use(self, mode: str) -> None:
        """Selects the mode of the steps from now on."""
        compiled = self._graph.compiled
        self._calls = compiled if mode != "off" and compiled is not None else self._graph.plain
        self._call = self._callable(self._calls)
        self.mode = mode

    def _callable(self, calls: FusedSteps) -> Callable[[Any], Any]:
        completed = calls.count if calls.completed is None else calls.completed
        fetches = calls.metrics, calls.waited, calls.global_step, completed
        return self.session.make_callable(fetches, [calls.count])  # type: ignore[no-any-return]

    def step(self, count: int) -> StepResult:
        """Runs ``count`` updates.

        A graph that XLA cannot compile is run without XLA from then on; one line says so.
        """
        self.is_initial = False
        self._inquiry.before_call()
        try:
            values, waited, step, completed = self._call(np.int32(count))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if self.mode != "xla" or not any(word in str(error) for word in NOT_COMPILED):
                raise
            log.warning("XLA cannot compile this model (%s); its steps run without XLA", describe(error))
            self.use("off")
            values, waited, step, completed = self._call(np.int32(count))
        if completed < count:
            raise self._inquiry.check_failed(int(step), self._run, self._callable(self._graph.plain))
        self.waited_secs += float(waited)
        return StepResult(np.asarray(values), int(step))

    def explained(self, error: NonFiniteError) -> NonFiniteError:
        """Returns the error with the op that it began in, if the steps before it can run again and show it."""
        return self._inquiry.explained(error, self._run)

    def _run(self, count: int) -> None:
        """Runs ``count`` updates in as many calls as it takes, for their effect on the variables."""
        for start in range(0, count, self.max_steps):
            self._call(np.int32(min(self.max_steps, count - start)))

    def measure(self, clock: Callable[[], float]) -> dict[str, float]:
        """Benchmarks both modes and selects the faster one for this session.

        Returns:
            Steps per second by mode; {} where there is only one.
        """
        if self._graph.compiled is None:
            self.use("off")
            return {}
        rates = {mode: _rate(self._graph, mode, clock) for mode in ("off", "xla")}
        self.use(max(rates, key=lambda mode: rates[mode]))
        return rates


def _rate(graph: TrainingGraph, mode: str, clock: Callable[[], float]) -> float:
    """Returns the best rate of three calls of up to a second, after two that compile and find the length.

    It uses a session of its own, since ops that draw initial values would not start again in this one.
    """
    steps, rates = 1, []
    with TrainingSession(graph) as session:
        session.use(mode)
        session.initialise()
        for i in range(5):
            began = clock()
            session.step(steps)
            rates.append(steps / max(clock() - began, 1e-9))
            steps = max(1, min(session.max_steps, int(rates[-1]), 10 if i == 0 else session.max_steps))
    return max(rates[2:])
