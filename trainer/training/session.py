"""The session of a run: opened, initialised or restored, stepped, closed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checkpoints.restoring.restore import assign
from trainer.checkpoints.restoring.transfer_plan import Transfer
from trainer.errors import CheckpointError, TrainerError, describe
from trainer.graph.background_call import closing_in_time
from trainer.graph.build import TrainingGraph
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
    """

    def __init__(self, graph: TrainingGraph) -> None:
        self._graph = graph
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
        with contextlib.ExitStack() as stack:
            stack.enter_context(graph.as_default())
            self.session = stack.enter_context(closing_in_time(v1.Session(graph=graph)))
            self._stack = stack.pop_all()
        self.use(self.mode)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def initialise(self) -> None:
        """Initialises every variable and table, and fills the feed.

        Raises:
            TrainerError: An initial value, a table or the data cannot be computed or read.
        """
        try:
            self.session.run([self._graph.initialise, self._graph.initialise_tables])
            self._graph.feed.initialise(self.session)
        except (tf.errors.OpError, MemoryError) as error:
            raise TrainerError(f"variables, tables or data cannot be initialised: {describe(error)}") from error
        self.is_initial = True

    def restore(self, prefix: Path) -> None:
        """Restores every variable, and the position of a data pipeline.

        Args:
            prefix: Prefix of the checkpoint's files; ``check_fits`` must have accepted them.

        Raises:
            CheckpointError: The files cannot be read, or a data pipeline cannot take its position back.
        """
        self.is_initial = False
        try:
            self._graph.context.restorer.restore(self.session, str(prefix))
        except (tf.errors.OpError, ValueError) as error:
            raise CheckpointError(f"{prefix} cannot be restored: {describe(error)}") from error

    def load(self, transfer: Transfer) -> None:
        """Loads variables from another checkpoint.

        Raises:
            CheckpointError: The files can no longer be read.
        """
        self.is_initial = False
        if transfer.with_pipeline:
            self.restore(transfer.prefix)
        else:
            assign(transfer, self.session)

    def global_step(self) -> int:
        """Returns the number of updates of the variables."""
        return int(self.session.run(self._graph.context.global_step))

    @property
    def max_steps(self) -> int:
        """Greatest number of steps in a call."""
        return self._calls.max_steps

    def use(self, mode: str) -> None:
        """Selects the mode of the steps from now on."""
        compiled = self._graph.compiled
        self._calls = compiled if mode != "off" and compiled is not None else self._graph.plain
        fetches = [self._calls.metrics, self._calls.waited, self._calls.global_step]
        self._call = self.session.make_callable(fetches, [self._calls.count])
        self.mode = mode

    def step(self, count: int) -> StepResult:
        """Runs ``count`` updates.

        A graph that XLA cannot compile is run without XLA from then on; one line says so.
        """
        self.is_initial = False
        try:
            values, waited, step = self._call(np.int32(count))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if self.mode != "xla" or not any(word in str(error) for word in NOT_COMPILED):
                raise
            log.warning("XLA cannot compile this model (%s); its steps run without XLA", describe(error))
            self.use("off")
            values, waited, step = self._call(np.int32(count))
        self.waited_secs += float(waited)
        return StepResult(np.asarray(values), int(step))

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
