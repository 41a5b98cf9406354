"""The loop: calls into the graph, cut where callbacks are due, and the events in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from trainer.callback import Context
from trainer.errors import TrainerError
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.state import RunState, StepMetrics
from trainer.training.callback_list import CallbackList
from trainer.training.epoch_means import EpochMeans
from trainer.training.log_means import LogMeans
from trainer.training.metric_notes import MetricNotes
from trainer.training.plan import CallLimit, RunLength, next_stop


@dataclass(frozen=True)
class StepResult:
    """Outcome of one call into the graph.

    Args:
        metrics: Metrics of each step, float32 [steps, columns].
        global_step: Global step that the graph has counted after the call.
    """

    metrics: np.ndarray[Any, Any]
    global_step: int


Step = Callable[[int], StepResult]
"""Runs n updates in one call into the graph."""


class Requests(Protocol):
    """Requests from outside while a run goes on; ``trainer.training.signals.Signals`` is the real source."""

    def check(self) -> None:
        """Raises ``Interrupted`` if the run has to stop."""

    def at_once(self) -> AbstractContextManager[None]:
        """Returns a block in which a stop is raised as soon as it is asked for, not between calls alone."""

    def take_save_request(self) -> bool:
        """Returns whether a save was requested since the last call."""


class NoRequests:
    """Source without any request."""

    def check(self) -> None:
        """Does nothing."""

    def at_once(self) -> AbstractContextManager[None]:
        """Returns a block without effect."""
        return nullcontext()

    def take_save_request(self) -> bool:
        """Returns False."""
        return False


class Loop:
    """Loop over epochs of steps that tells the callbacks; it knows no graph, no config and no disk.

    Args:
        step: Function that runs n updates.
        columns: Columns of the metrics of a step.
        length: Length of the whole run, earlier processes included.
        call_limit: Limit on the steps of a call.
        callbacks: Callbacks that are told of every event; the caller closes them.
        clock: Function that returns monotonic seconds.
        requests: Requests, checked between calls into the graph.
        log_every_n_steps: Steps of each row of ``on_log``, or None for no rows; no call is cut for them.
    """

    def __init__(
        self,
        step: Step,
        columns: MetricColumns,
        length: RunLength,
        call_limit: CallLimit,
        callbacks: CallbackList,
        clock: Callable[[], float],
        requests: Requests | None = None,
        log_every_n_steps: int | None = None,
    ) -> None:
        self._step = step
        self._length = length
        self._call_limit = call_limit
        self._callbacks = callbacks
        self._clock = clock
        self._requests = requests or NoRequests()
        self._names = columns.names
        self.call_secs = 0.0
        """Seconds that all calls into the graph have taken."""
        self._means = EpochMeans(columns, length.steps_per_epoch)
        self._log_means = LogMeans(columns, length, log_every_n_steps)
        self._notes = MetricNotes(columns)

    def run(self, context: Context) -> None:
        """Runs from the state in ``context.record`` to the last epoch, or until a stop is requested."""
        self._callbacks.on_train_begin(context, self._clock())
        self._requests.check()
        self._callbacks.finish_stop(context, self._requests.at_once)
        while not self._is_over(context):
            if context.record.global_step % self._length.steps_per_epoch == 0:
                self._callbacks.on_epoch_begin(context)
            self._advance(context)
            self._callbacks.on_stop(context, self._clock(), self._requests.at_once)
            self._notes.note(context.record.epoch, context.record.metrics)
            if self._requests.take_save_request():
                self._callbacks.save_now(context)
            self._requests.check()
        self._callbacks.on_train_end(context, self._requests)

    def _is_over(self, context: Context) -> bool:
        return context.record.global_step >= self._length.total_steps or context.stop_reason is not None

    def _advance(self, context: Context) -> None:
        """Makes one call into the graph and hands out the epochs that ended inside it."""
        start = context.record.global_step
        started = self._clock()
        limit = self._call_limit.limit(self._callbacks.secs_until_due(started))
        stop = next_stop(start, self._length, self._callbacks.schedules, limit)
        result = self._step(stop - start)
        secs = self._clock() - started
        check_same_step(result.global_step, stop)
        values = result.metrics
        self.call_secs += secs
        self._call_limit = self._call_limit.updated(stop - start, secs)
        self._callbacks.on_call_end(context, StepMetrics(start + 1, self._names, values[:, : len(self._names)]))
        epoch, rows = self._length.epoch_at(start), self._log_means.add(start, values, secs)
        for metrics in self._means.add(values, secs):
            epoch += 1
            if rows:
                self._hand_out(context, rows, epoch * self._length.steps_per_epoch)
            context.record = RunState(epoch, epoch * self._length.steps_per_epoch, metrics)
            if context.record.global_step < stop:
                self._notes.note(epoch, metrics)
                context.is_current = False
                self._callbacks.on_epoch_end(context)
                self._callbacks.on_epoch_begin(context)
                context.is_current = True
        if rows:
            self._hand_out(context, rows, stop)
        context.record = RunState(epoch, stop, context.record.metrics)

    def _hand_out(self, context: Context, rows: deque[RunState], last_step: int) -> None:
        """Hands out the rows of the steps up to ``last_step``."""
        context.is_current = False
        while rows and rows[0].global_step <= last_step:
            self._callbacks.on_log(context, rows.popleft())
        context.is_current = True

    def means_so_far(self) -> Mapping[str, float]:
        """Returns the means of the steps of the epoch that goes on; {} at its beginning."""
        return self._means.so_far()

    def state_dict(self) -> dict[str, Any]:
        """Returns the sums so far, the state of each callback, and the events that a signal cut off."""
        state = {"epoch_so_far": self._means.state_dict(), "callbacks": self._callbacks.state_dict()}
        others = {"log_so_far": self._log_means.state_dict(), "cut_off": self._callbacks.cut_off}
        return {**state, **{name: each for name, each in others.items() if each}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what ``state_dict`` returned in an earlier process."""
        self._means.load_state_dict(state["epoch_so_far"])
        self._log_means.load_state_dict(state.get("log_so_far", {}))
        self._callbacks.load_state_dict(state["callbacks"])
        self._callbacks.cut_off = [(str(name), str(event)) for name, event in state.get("cut_off", ())]


def check_same_step(counted: int, expected: int) -> None:
    """Refuses to continue where graph and loop disagree on the steps: every checkpoint's name would be wrong.

    Args:
        counted: Global step in the graph.
        expected: Global step of the loop.

    Raises:
        TrainerError: They differ.
    """
    if counted != expected:
        raise TrainerError(
            f"the graph counts {counted:,} steps and the loop {expected:,}: something else than the trainer changes "
            "global_step, such as an optimizer or a model that gets it as an argument; leave it out there"
        )
