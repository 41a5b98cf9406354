"""Errors of callbacks, each under the callback's name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.metrics import Metrics
from callbacks.saved_model import SavedModel
from tests.helpers import run
from trainer.callback import Callback, Context
from trainer.errors import CallbackError, RequestError
from trainer.training.callback_list import CallbackList


def test_all_are_closed_and_told_whatever_each_raises() -> None:
    class Bad(Callback):
        def on_exception(self, context: Context, error: BaseException) -> None:
            raise ValueError("told badly")

        def close(self) -> None:
            raise OSError("closed badly")

    callbacks = CallbackList({"a": Bad(), "b": Bad()})
    assert [each.name for each in callbacks.on_exception(None, ValueError())] == ["a", "b"]
    assert [each.event for each in callbacks.close()] == ["close", "close"]
    assert callbacks.close() == []


def test_something_that_is_no_callback_is_refused() -> None:
    with pytest.raises(RequestError, match=r"callbacks\.x is a dict"):
        CallbackList({"x": {}})


def test_a_stop_inside_a_call_is_refused_with_the_remedy(tmp_path) -> None:
    class Stop(Callback):
        def on_epoch_end(self, context: Context) -> None:
            context.request_stop("enough")

    with pytest.raises(CallbackError, match=r"give the callback schedule = Schedule\(every_n_epochs=1\)"):
        run(tmp_path / "run", {"stop": Stop()}, steps_per_call=7)


@pytest.mark.parametrize("metric", [None, "three", [1.0]])
def test_a_metric_that_is_no_number_names_its_callback(tmp_path, metric) -> None:
    class Report(Callback):
        def on_epoch_end(self, context: Context) -> None:
            context.report({"mine": metric})

    with pytest.raises(CallbackError, match=r"callbacks\.r failed in on_epoch_end"):
        run(tmp_path / "run", {"r": Report(), "c": Checkpoint()})


def test_a_state_that_is_no_json_names_its_callback(tmp_path) -> None:
    class State(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"array": np.zeros(2)}

    with pytest.raises(CallbackError, match=r"callbacks\.s failed in state_dict"):
        run(tmp_path / "run", {"s": State(), "c": Checkpoint()})


@pytest.mark.parametrize(
    ("first", "second", "written"),
    [
        (Checkpoint(), Checkpoint(every_n_steps=3), r"checkpoints/model-\*"),
        (Freeze(), Freeze(outputs=["op"]), r"export/frozen/model\.pb"),
        (SavedModel(), SavedModel(tags=["mine"]), "export/saved_model"),
        (Metrics(), Metrics(), r"metrics\.jsonl"),
    ],
)
def test_two_that_write_the_same_are_refused(first, second, written) -> None:
    with pytest.raises(RequestError, match=rf"callbacks\.a and callbacks\.b both write {written} of the run"):
        CallbackList({"a": first, "b": second})


def test_two_of_a_class_that_write_under_names_of_their_own_go_together() -> None:
    CallbackList({"a": Checkpoint(), "b": Checkpoint(prefix="hourly"), "c": Freeze(), "d": Freeze(name="features")})
