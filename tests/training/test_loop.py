"""The loop with recorders: the order of events, what is reported, errors in every event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.callback import Callback, Context, Phase
from trainer.errors import CallbackError
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.runs.directory import RunDirectory
from trainer.schedule import Schedule
from trainer.state import RunState
from trainer.training.callback_list import CallbackList
from trainer.training.loop import Loop, StepResult
from trainer.training.plan import CallLimit, RunLength


class Recorder(Callback):
    """Writes down each event with epoch and step."""

    def __init__(self, log: list[Any], name: str = "", schedule: Schedule | None = None) -> None:
        self.log, self.name = log, name
        self.schedule = schedule or Callback.schedule

    def _marker(self, event: str, context: Context) -> None:
        self.log.append((self.name + event, context.record.epoch, context.record.global_step))

    def on_train_begin(self, context: Context) -> None:
        self._marker("train_begin", context)

    def on_epoch_begin(self, context: Context) -> None:
        self._marker("epoch_begin", context)

    def on_step_end(self, context: Context) -> None:
        self._marker("step_end", context)

    def on_epoch_end(self, context: Context) -> None:
        self._marker("epoch_end", context)

    def on_train_end(self, context: Context) -> None:
        self._marker("train_end", context)


class Clock:
    """A clock that moves by a fixed time each time it is read."""

    def __init__(self, secs: float = 0.0) -> None:
        self.now, self.secs = 0.0, secs

    def __call__(self) -> float:
        self.now += self.secs
        return self.now


def start(
    callbacks: CallbackList | dict[str, Callback],
    epochs: int = 2,
    steps_per_epoch: int = 3,
    per_call: int | None = None,
    log_every_n_steps: int | None = None,
):
    """Returns a loop whose step reports its own number, the context, and the lengths of the calls."""
    calls: list[int] = []
    done = [0]

    def step(count: int) -> StepResult:
        calls.append(count)
        done[0] += count
        return StepResult(np.arange(done[0] - count, done[0], dtype=np.float32)[:, None], global_step=done[0])

    loop = Loop(
        step,
        MetricColumns(("loss",)),
        RunLength(epochs, steps_per_epoch),
        CallLimit(per_call or 1000, 1000),
        callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks),
        Clock(),
        log_every_n_steps=log_every_n_steps,
    )
    context = Context(None, RunDirectory(Path("x")), RunState(0, 0), epochs, steps_per_epoch, loop, checkpoints=None)
    return loop, context, calls


def test_the_order_of_events() -> None:
    log: list[Any] = []
    loop, context, calls = start({"a": Recorder(log, schedule=Schedule(every_n_steps=2))})
    loop.run(context)
    assert log == [
        ("train_begin", 0, 0),
        ("epoch_begin", 0, 0),
        ("step_end", 0, 2),
        ("epoch_end", 1, 3),
        ("epoch_begin", 1, 3),
        ("step_end", 1, 4),
        ("epoch_end", 2, 6),
        ("step_end", 2, 6),
        ("train_end", 2, 6),
    ]
    assert calls == [2, 2, 2]


def test_without_a_due_callback_many_epochs_are_one_call() -> None:
    log: list[Any] = []
    loop, context, calls = start({"a": Recorder(log)}, epochs=50)
    loop.run(context)
    assert calls == [150]
    assert [each for each in log if each[0] == "epoch_end"] == [("epoch_end", i, 3 * i) for i in range(1, 51)]


@pytest.mark.parametrize("per_call", [1, 2, 3, 5, 7, 1000])
def test_epochs_and_due_points_do_not_depend_on_the_calls(per_call) -> None:
    log: list[Any] = []
    metrics: list[float] = []

    class Losses(Callback):
        def on_epoch_end(self, context: Context) -> None:
            metrics.append(context.record.metrics["loss"])

    schedule = Schedule(every_n_epochs=2, every_n_steps=5)
    loop, context, _ = start({"a": Recorder(log, schedule=schedule), "b": Losses()}, epochs=6, per_call=per_call)
    loop.run(context)
    due = [each[2] for each in log if each[0] == "step_end"]
    assert due == [5, 6, 10, 12, 15, 18]
    assert metrics == [1.0, 4.0, 7.0, 10.0, 13.0, 16.0]


def test_savers_see_what_earlier_callbacks_report_whatever_the_order_of_the_config() -> None:
    seen: list[Any] = []

    class Evaluate(Callback):
        schedule = Schedule(every_n_epochs=1)

        def on_step_end(self, context: Context) -> None:
            context.report({"val_loss": 0.5})

    class Save(Callback):
        schedule = Schedule(every_n_epochs=1)
        phase = Phase.SAVE

        def on_step_end(self, context: Context) -> None:
            seen.append(context.record.metrics["val_loss"])

    loop, context, _ = start({"save": Save(), "evaluate": Evaluate()})
    loop.run(context)
    assert seen == [0.5, 0.5]


def test_a_stop_that_was_asked_for_ends_in_good_order() -> None:
    log: list[Any] = []

    class Stop(Callback):
        schedule = Schedule(every_n_steps=2)

        def on_step_end(self, context: Context) -> None:
            context.request_stop("enough")
            context.request_stop("more than enough")

    loop, context, _ = start({"stop": Stop(), "a": Recorder(log)})
    loop.run(context)
    assert log[-1] == ("train_end", 0, 2)
    assert context.stop_reason == "enough"


def test_the_middle_of_an_epoch_is_carried_over() -> None:
    class Stop(Callback):
        schedule = Schedule(every_n_steps=2)

        def on_step_end(self, context: Context) -> None:
            context.request_stop("")

    loop, context, _ = start({"stop": Stop()})
    loop.run(context)
    again, _, _ = start({})
    again.load_state_dict(loop.state_dict())
    assert again.state_dict()["epoch_so_far"] == {"steps": 2, "sums": {"loss": 1.0}}


EVENTS = ["on_train_begin", "on_epoch_begin", "on_step_end", "on_epoch_end", "on_train_end"]


@pytest.mark.parametrize("event", EVENTS)
def test_an_error_in_an_event_names_the_callback_and_closes_all(event) -> None:
    closed: list[str] = []

    class Closes(Callback):
        schedule = Schedule(every_n_epochs=1)

        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)

    bad, good = Closes("bad"), Closes("good")

    def fail(_context: Context) -> None:
        raise KeyError("lost")

    setattr(bad, event, fail)
    callbacks = CallbackList({"bad": bad, "good": good})
    loop, context, _ = start(callbacks)
    with pytest.raises(CallbackError, match=rf"callbacks.bad failed in {event}: KeyError: 'lost'"):
        loop.run(context)
    assert callbacks.close() == []
    assert closed == ["bad", "good"]


@pytest.mark.parametrize("per_call", [1, 2, 4, 1000])
def test_rows_are_handed_out_in_order_and_cut_no_call(per_call) -> None:
    log: list[Any] = []

    class Logs(Recorder):
        def on_log(self, context: Context, row: RunState) -> None:
            assert not context.is_current
            assert context.epoch_so_far == {}
            self.log.append(("log", row.epoch, row.global_step))

        def on_epoch_end(self, context: Context) -> None:
            self.log.append(("epoch_end", context.record.epoch, context.record.global_step))

    loop, context, calls = start({"a": Logs(log)}, epochs=2, steps_per_epoch=4, per_call=per_call, log_every_n_steps=2)
    loop.run(context)
    assert [each for each in log if each[0] in ("log", "epoch_end")] == [
        *[("log", 0, 2), ("log", 0, 4), ("epoch_end", 1, 4)],
        *[("log", 1, 6), ("log", 1, 8), ("epoch_end", 2, 8)],
    ]
    assert calls == [min(per_call, 8)] * (8 // min(per_call, 8))


def test_a_stop_inside_a_call_is_refused() -> None:
    class Stop(Callback):
        def on_log(self, context: Context, row: RunState) -> None:
            context.request_stop("enough")

    loop, context, _ = start({"stop": Stop()}, log_every_n_steps=2)
    with pytest.raises(CallbackError, match=r"stop failed in on_log: .*schedule = Schedule\(every_n_epochs=1\)"):
        loop.run(context)


def test_the_epoch_so_far_is_there_at_a_stop() -> None:
    seen: list[Any] = []

    class Look(Callback):
        schedule = Schedule(every_n_steps=2)

        def on_step_end(self, context: Context) -> None:
            seen.append((context.record.global_step, dict(context.epoch_so_far)))

    loop, context, _ = start({"look": Look()})
    context.means_so_far = loop.means_so_far
    loop.run(context)
    assert [(step, each.get("loss")) for step, each in seen] == [(2, 0.5), (4, 3.0), (6, None)]
