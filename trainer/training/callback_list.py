"""All callbacks of a run: their running order, their names in errors, their close whatever happens."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

from trainer.callback import Callback, Context, Phase
from trainer.errors import CallbackError, Interrupted, NonFiniteError, RequestError, describe
from trainer.schedule import Schedule
from trainer.state import CheckpointSettings, RunState, StepMetrics
from trainer.timing import told
from trainer.training.callback_checks import check_best_is_kept, check_writes

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext


AtOnce = Callable[[], contextlib.AbstractContextManager[None]]
"""Function that returns a block in which a stop is raised as soon as it is asked for."""


class StopRequests(Protocol):
    """Source of requests to stop; the loop passes on its own."""

    def check(self) -> None:
        """Raises ``Interrupted`` if the run has to stop."""

    def at_once(self) -> contextlib.AbstractContextManager[None]:
        """Returns a block in which a stop is raised as soon as it is asked for."""


class CallbackList:
    """Callbacks of a run, told of each event in running order.

    Args:
        callbacks: Callbacks by name; they are sorted by phase, and keep their order within one.
        clock: Function that returns monotonic seconds, for the time that they take.

    Raises:
        RequestError: A value is not a callback, or two callbacks do not go together.
    """

    def __init__(self, callbacks: Mapping[str, Callback], clock: Callable[[], float] = time.perf_counter) -> None:
        for name, callback in callbacks.items():
            if not isinstance(callback, Callback):
                raise RequestError(
                    f"callbacks.{name} is a {type(callback).__name__}, which is not a callback; "
                    "derive it from trainer.callback.Callback"
                )
        self._callbacks = dict(sorted(callbacks.items(), key=lambda item: item[1].phase))
        self._listeners = {
            event: [name for name, callback in self._callbacks.items() if _listens(callback, event)]
            for event in ("on_epoch_begin", "on_epoch_end", "on_call_end", "on_log")
        }
        self._last_due = dict.fromkeys(self._callbacks, 0.0)
        self._visits: list[tuple[str, str]] = []
        self._open = list(self._callbacks)
        self._clock = clock
        self.secs = dict.fromkeys(self._callbacks, 0.0)
        """Seconds that each callback has taken."""
        self.cut_off: list[tuple[str, str]] = []
        """Names and events of the visits that a signal has left undone at the last stop, for a resume."""

        check_writes(self._callbacks)
        check_best_is_kept(self._callbacks)

    @property
    def savers(self) -> tuple[CheckpointSettings, ...]:
        """Settings of all callbacks that save checkpoints, in running order."""
        settings = (callback.checkpoint_settings for callback in self._callbacks.values())
        return tuple(each for each in settings if each is not None)

    def secs_of(self, phase: Phase) -> float:
        """Returns the seconds that the callbacks of a phase have taken."""
        return sum(self.secs[name] for name, callback in self._callbacks.items() if callback.phase is phase)

    @property
    def restores_best(self) -> bool:
        """True where a callback lets the best checkpoint take the place of the last variables at the end."""
        return any(callback.best_by is not None for callback in self._callbacks.values())

    @property
    def needs_rollback(self) -> bool:
        """True where a callback needs a graph that is built for rollbacks."""
        return any(callback.needs_rollback for callback in self._callbacks.values())

    @property
    def schedules(self) -> list[Schedule]:
        """The schedules of all callbacks."""
        return [callback.schedule for callback in self._callbacks.values()]

    def named(self, name: str) -> Callback | None:
        """Returns a callback, or None if there is none of that name."""
        return self._callbacks.get(name)

    def on_build(self, build: GraphContext) -> None:
        """Lets each callback add to the graph, once all metrics are known; then the Savers cover what they added.

        Raises:
            RequestError: A callback refused its settings, or added something that no checkpoint would hold.
        """
        reported = [name for callback in self._callbacks.values() for name in callback.reported_metrics(build)]
        build = replace(build, reported_metrics=(*build.metric_names, *reported))
        for name, callback in self._callbacks.items():
            try:
                callback.on_build(build)
            except (ValueError, TypeError) as error:
                argument = _argument_of(error, name, callback)
                raise RequestError(f"callbacks.{name}: {describe(error)}", argument=argument) from error
            if late := build.savers.late(build.graph):
                raise RequestError(
                    f"callbacks.{name} adds {', '.join(late[:3])} after a callback that saves has made its Saver, so "
                    "no checkpoint would hold it; give the callback phase = Phase.OBSERVE, which comes before those",
                    argument=f"callbacks.{name}",
                )
        build.savers.build()

    def on_train_begin(self, context: Context, now: float) -> None:
        """Training begins; seconds of schedules count from ``now``."""
        self._last_due = dict.fromkeys(self._callbacks, now)
        self._tell("on_train_begin", lambda callback: callback.on_train_begin(context), context)

    def on_epoch_begin(self, context: Context) -> None:
        """An epoch begins."""
        self._tell("on_epoch_begin", lambda callback: callback.on_epoch_begin(context), context)

    def on_epoch_end(self, context: Context) -> None:
        """An epoch ended inside a call into the graph, where no callback needs the session."""
        self._tell("on_epoch_end", lambda callback: callback.on_epoch_end(context), context)

    def on_call_end(self, context: Context, steps: StepMetrics) -> None:
        """A call into the graph returned."""
        self._tell("on_call_end", lambda callback: callback.on_call_end(context, steps), context)

    def on_log(self, context: Context, row: RunState) -> None:
        """Some steps inside a call have means of their own."""
        self._tell("on_log", lambda callback: callback.on_log(context, row), context)

    def save_now(self, context: Context) -> None:
        """Lets the savers save although they are not due."""
        for name, callback in self._callbacks.items():
            if callback.phase is Phase.SAVE:
                self._call(name, "on_step_end", lambda each: each.on_step_end(context))

    def goes_on_with(self, name: str, state: Mapping[str, Any], record: RunState) -> str | None:
        """Returns a setting with which a run that a callback has ended would go on; None if it goes on now.

        Args:
            name: Name of the callback; a run goes on without it.
            state: State of all callbacks in the newest checkpoint.
            record: State of training in that checkpoint.
        """
        callback = self._callbacks.get(name)
        return None if callback is None else callback.goes_on_with(state.get(name, {}), record)

    def on_stop(self, context: Context, now: float, at_once: AtOnce) -> None:
        """Visits each callback where the variables are those of the record.

        A visit is the end of the epoch, if one ended here, then ``on_step_end``, if the callback is due.
        So the callbacks after an evaluation see its metrics.

        Args:
            context: Context of the run.
            now: Seconds of the loop's clock.
            at_once: Function that returns a block in which a signal is noticed at once.
        """
        step, steps_per_epoch = context.record.global_step, context.steps_per_epoch
        for name, callback in self._callbacks.items():
            # A visit that does nothing must not be what a signal cuts off, with all visits after it.
            if step % steps_per_epoch == 0 and name in self._listeners["on_epoch_end"]:
                self._visits.append((name, "on_epoch_end"))
            if callback.schedule.is_due(step, steps_per_epoch, now - self._last_due[name]):
                self._last_due[name] = now
                self._visits.append((name, "on_step_end"))
        self._visit_all(context, at_once)

    def finish_stop(self, context: Context, at_once: AtOnce) -> None:
        """Makes the visits that a signal cut off in the process before, such as an evaluation and all after it."""
        self._visits, self.cut_off = [each for each in self.cut_off if each[0] in self._callbacks], []
        self._visit_all(context, at_once)

    def _visit_all(self, context: Context, at_once: AtOnce) -> None:
        visits, self._visits = self._visits, []
        for done, (name, event) in enumerate(visits):
            try:
                self._call(name, event, lambda callback: getattr(callback, event)(context), at_once)  # noqa: B023
            except Interrupted:
                self.cut_off = visits[done:]
                raise
            _note_stop(context, name)

    def on_train_end(self, context: Context, requests: StopRequests) -> None:
        """The run ended in good order; a signal is noticed between two callbacks, and within those that may be cut."""
        for name in self._callbacks:
            with told(f"running callbacks.{name} at the end"):
                self._call(name, "on_train_end", lambda callback: callback.on_train_end(context), requests.at_once)
            requests.check()

    def on_exception(self, context: Context, error: BaseException) -> list[CallbackError]:
        """Tells every callback, whatever others raise, and returns their errors."""
        return self._tell_all("on_exception", lambda callback: callback.on_exception(context, error))

    def close(self) -> list[CallbackError]:
        """Closes every callback once, whatever others raise, and returns their errors."""
        closing, self._open = self._open, []
        if not closing:
            return []
        return self._tell_all("close", lambda callback: callback.close())

    def secs_until_due(self, now: float) -> float:
        """Returns the seconds until a callback is due by the clock; inf where none is scheduled so."""
        due = [
            self._last_due[name] + callback.schedule.every_n_secs - now
            for name, callback in self._callbacks.items()
            if callback.schedule.every_n_secs is not None
        ]
        return min(due, default=float("inf"))

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of each callback that has one, by name."""
        states = {}
        for name, callback in self._callbacks.items():
            state = callback.state_dict()
            try:
                json.dumps(state)
            except (TypeError, ValueError) as error:
                raise CallbackError(name, "state_dict", error) from error
            if state:
                states[name] = state
        return states

    def load_state_dict(self, states: Mapping[str, Any]) -> None:
        """Hands each callback its state back; a callback without a stored state starts afresh."""
        for name in self._callbacks:
            if name in states:
                state = states[name]
                self._call(name, "load_state_dict", lambda each: each.load_state_dict(state))  # noqa: B023 - called at once

    def _tell(self, event: str, call: Callable[[Callback], None], context: Context) -> None:
        for name in self._listeners.get(event, self._callbacks):
            self._call(name, event, call)
            _note_stop(context, name)

    def _tell_all(self, event: str, call: Callable[[Callback], None]) -> list[CallbackError]:
        errors = []
        for name in self._callbacks:
            try:
                with told(f"ending callbacks.{name}"):
                    self._call(name, event, call)
            except CallbackError as error:
                errors.append(error)
        return errors

    def _call(
        self, name: str, event: str, call: Callable[[Callback], None], at_once: AtOnce = contextlib.nullcontext
    ) -> None:
        callback, began = self._callbacks[name], self._clock()
        try:
            with at_once() if callback.may_be_cut else contextlib.nullcontext():
                call(callback)
        except (Interrupted, NonFiniteError):
            raise
        except Exception as error:
            raise CallbackError(name, event, error) from error
        finally:
            self.secs[name] += self._clock() - began


def _note_stop(context: Context, name: str) -> None:
    if context.stop_reason is not None and context.stopped_by is None:
        context.stopped_by = name


def _argument_of(error: Exception, name: str, callback: Callback) -> str:
    """Returns the callback's argument that an error is about, or the callback where it is about none of its own."""
    argument = getattr(error, "argument", "")
    return f"callbacks.{name}.{argument}" if argument in signature(type(callback)).parameters else f"callbacks.{name}"


def _listens(callback: Callback, event: str) -> bool:
    """Returns whether a callback overrides an event: thousands of epochs may end in a second."""
    return getattr(getattr(callback, event), "__func__", None) is not getattr(Callback, event)
