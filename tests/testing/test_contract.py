"""The check of a callback's contract finds what breaks it, and passes the shipped callbacks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.early_stopping import EarlyStopping
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.metrics import Metrics
from callbacks.nan_guard import NanGuard
from callbacks.notify import Notify
from callbacks.progress import Progress
from callbacks.report import Report
from callbacks.saved_model import SavedModel
from trainer.callback import Callback, Context
from trainer.errors import RequestError
from trainer.schedule import Schedule
from trainer.state import RunState
from trainer.testing import ContractError, check_callback

SHIPPED: dict[str, tuple[Callable[[], Callback], Any]] = {
    "checkpoint": (lambda: Checkpoint(every_n_steps=3), None),
    "early_stopping": (lambda: EarlyStopping(monitor="val_error", patience=1), None),
    "evaluate": (Evaluate, lambda: {"evaluate": None}),
    "freeze": (Freeze, None),
    "metrics": (Metrics, lambda: {"metrics": None}),
    "nan_guard": (lambda: NanGuard(action="rollback"), None),
    "notify": (lambda: Notify(command="true"), None),
    "progress": (Progress, None),
    "report": (Report, None),
    "saved_model": (SavedModel, None),
}


@pytest.mark.parametrize(("make", "beside"), SHIPPED.values(), ids=SHIPPED)
def test_the_shipped_callbacks_keep_the_contract(make, beside) -> None:
    check_callback(make, beside)


def test_a_good_one_is_copied_and_left_as_it_was() -> None:
    class Best(Callback):
        schedule = Schedule(every_n_epochs=1)

        def __init__(self, *, best: float = 1e9) -> None:
            self.best = best

        def on_step_end(self, context: Context) -> None:
            self.best = min(self.best, context.record.metrics["loss"])

        def state_dict(self) -> dict[str, Any]:
            return {"best": self.best}

        def load_state_dict(self, state: Any) -> None:
            self.best = state["best"]

    mine = Best()
    check_callback(mine)
    assert mine.best == 1e9


class LateOp(Callback):
    schedule = Schedule(every_n_epochs=1)

    def on_step_end(self, context: Context) -> None:
        context.session.run(tf.constant(1.0) + 1.0)


class NotJson(Callback):
    def state_dict(self) -> dict[str, Any]:
        return {"array": np.zeros(2)}

    def load_state_dict(self, state: Any) -> None: ...


class RaisesInClose(Callback):
    def close(self) -> None:
        raise OSError("the file is gone")


class HoldsSession(Callback):
    def on_train_begin(self, context: Context) -> None:
        self.session = context.session


class HoldsContext(Callback):
    def on_train_begin(self, context: Context) -> None:
        self.seen = {"context": context}


class NeverDue(Callback):
    def on_step_end(self, context: Context) -> None: ...


class StopsForNothing(Callback):
    schedule = Schedule(every_n_epochs=1)


class ChangesVariables(Callback):
    schedule = Schedule(every_n_epochs=1)

    def on_build(self, build: Any) -> None:
        self.op = build.model_variables["w"].assign_add([[1.0], [1.0]]).op

    def on_step_end(self, context: Context) -> None:
        context.session.run(self.op)


class WithoutDefault(Callback):
    def __init__(self, path: str) -> None:
        self.path = path


class Forgets(Callback):
    def __init__(self) -> None:
        self.count = 0

    def on_epoch_end(self, context: Context) -> None:
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: Any) -> None: ...


class ReportsUnannounced(Callback):
    schedule = Schedule(every_n_epochs=1)

    def on_step_end(self, context: Context) -> None:
        context.report({"surprise": 1.0})


class RaisesInLog(Callback):
    def on_log(self, context: Context, row: RunState) -> None:
        assert set(row.metrics) >= {"loss", "error"}
        raise KeyError("accuracy")


class StopsTooLate(Callback):
    def on_epoch_end(self, context: Context) -> None:
        raise ValueError("no such metric")


class RaisesAtAnInterrupt(Callback):
    def on_exception(self, context: Context, error: BaseException) -> None:
        raise KeyError(context.record.metrics["nothing"])


class LeavesAThread(Callback):
    def on_train_begin(self, context: Context) -> None:
        threading.Thread(target=threading.Event().wait, args=[5], name="mine", daemon=True).start()


class OnlySaves(Callback):
    def state_dict(self) -> dict[str, Any]:
        return {"count": 1}


class RefusesEverything(Callback):
    def on_build(self, build: Any) -> None:
        raise ValueError("monitor ('x') is unknown")


BROKEN: dict[str, tuple[Callable[[], Callback], str]] = {
    "late op": (LateOp, "adds ops in on_step_end, after the graph is closed; make them in on_build"),
    "not json": (NotJson, "raises in state_dict: Object of type ndarray is not JSON serializable"),
    "close": (RaisesInClose, "raises in close: .*the file is gone"),
    "session": (HoldsSession, "holds the session after close"),
    "context": (HoldsContext, "holds the context, and with it the session, after close"),
    "never due": (NeverDue, "overrides on_step_end and is never due"),
    "stops for nothing": (StopsForNothing, "has a schedule and no on_step_end"),
    "variables": (ChangesVariables, r"changes variables of the run \(w"),
    "no default": (lambda: WithoutDefault("x"), "has no default for path"),
    "only saves": (OnlySaves, "has a state_dict and no load_state_dict"),
    "forgets": (Forgets, "does not take back in load_state_dict"),
    "unannounced": (ReportsUnannounced, "reports surprise without announcing it"),
    "a row": (RaisesInLog, "raises in on_log: KeyError: .accuracy."),
    "an event": (StopsTooLate, "raises in on_epoch_end: no such metric"),
    "an ending": (RaisesAtAnInterrupt, "raises in on_exception: KeyError: 'nothing'"),
    "a thread": (LeavesAThread, "leaves the thread mine running after close"),
    "refused": (RefusesEverything, r"is refused: callbacks.checked: monitor \('x'\)"),
}


@pytest.mark.parametrize(("make", "note"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_contract_is_told(make, note) -> None:
    with pytest.raises(ContractError, match=note) as caught:
        check_callback(make)
    assert len(caught.value.notes) == 1


@pytest.mark.parametrize("value", [3, object, lambda: 3])
def test_what_is_no_callback_is_refused(value) -> None:
    with pytest.raises(RequestError, match=r"trainer\.Callback"):
        check_callback(value)


def test_what_cannot_be_copied_is_asked_for_as_a_function() -> None:
    class Locked(Callback):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    with pytest.raises(RequestError, match=r"give a function that makes it"):
        check_callback(Locked())
    check_callback(Locked)
