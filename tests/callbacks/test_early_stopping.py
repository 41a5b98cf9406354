"""Early stopping, by tables and in runs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.early_stopping import EarlyStopping
from callbacks.evaluate import Evaluate
from tests.callbacks.contexts import context
from tests.helpers import points, run
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.schedule import Schedule
from trainer.state import RunState


@pytest.mark.parametrize(
    ("mode", "values", "stops_after"),
    [
        ("min", [3, 2, 1, 2, 2], 5),
        ("max", [1, 2, 2, 1], 4),
        ("min", [3, 2, 1, 0, -1], None),
        ("min", [float("nan"), float("nan")], 2),
        ("min", [3, 2, 2.5, 1, 2], None),
    ],
)
def test_early_stopping(mode, values, stops_after) -> None:
    stopping, here = EarlyStopping(monitor="loss", mode=mode, patience=2), context()
    stopped = None
    for epoch, value in enumerate(values, 1):
        here.record = RunState(epoch, epoch, {"loss": value})
        stopping.on_step_end(here)
        stopped = stopped or (epoch if here.stop_reason else None)
    assert stopped == stops_after


def test_patience_goes_on_after_a_resume() -> None:
    first, second, here = (
        EarlyStopping(monitor="loss", patience=2),
        EarlyStopping(monitor="loss", patience=2),
        context(),
    )
    for value in (1.0, 2.0):
        here.record = RunState(1, 1, {"loss": value})
        first.on_step_end(here)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    second.on_step_end(here)
    assert here.stop_reason == "loss has not improved on 1.0 for 2 epochs"


def test_a_metric_that_nothing_reports_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"monitor \('val_los'\) is not known; .*loss"):
        run(tmp_path / "run", {"e": EarlyStopping(monitor="val_los")})


def test_a_run_that_stopped_early_says_why(tmp_path) -> None:
    stopping = EarlyStopping(monitor="loss", patience=1, min_delta=1e9)
    run(tmp_path / "run", {"e": stopping, "c": Checkpoint()}, epochs=50)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert (facts["status"], facts["epoch"]) == ("finished", 2)
    assert "has not improved" in facts["stop_reason"]


@pytest.mark.parametrize("per_call", [1, 3, None])
def test_early_stopping_ends_at_the_same_step_whatever_the_calls(tmp_path, per_call) -> None:
    parts = {"e": EarlyStopping(monitor="loss", patience=1, min_delta=0.5), "c": Checkpoint(every_n_epochs=50)}
    assert run(tmp_path / "run", parts, epochs=100, steps_per_call=per_call).global_step == 45


def test_what_a_callback_reports_can_be_monitored_and_nothing_else(tmp_path) -> None:
    class Report(Callback):
        schedule = Schedule(every_n_epochs=1)

        def reported_metrics(self, build: Any) -> list[str]:
            return ["mine"]

        def on_step_end(self, context: Context) -> None:
            context.report({"mine": np.float32(1.0)})

    parts = {"r": Report(), "e": EarlyStopping(monitor="mine", patience=2), "c": Checkpoint()}
    assert run(tmp_path / "a", parts, epochs=9).epoch == 3
    data = {"data": InMemory(points(), 8, validation=0.2)}
    with pytest.raises(RequestError, match="'val_loss'"):
        run(tmp_path / "b", {"e": EarlyStopping(monitor="val_loss")}, **data)
    assert run(tmp_path / "c", {"v": Evaluate(), "e": EarlyStopping(monitor="val_loss")}, **data).epoch == 3
