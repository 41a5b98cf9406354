"""Early stopping, by tables and in runs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.early_stopping import EarlyStopping
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from tests.callbacks.contexts import context
from tests.helpers import assert_same_bits, points, prepared, run, variables
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
    assert here.stop_reason == "loss has not improved on 1 for 2 epochs"


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


@pytest.mark.parametrize(
    ("baseline", "values", "epochs_since"),
    [
        (None, [3.0, 2.0], 0),
        (1.0, [3.0, 2.0], 2),  # better each time, and never better than the baseline
        (2.5, [3.0, 2.0], 0),
        (2.5, [3.0, 2.0, 2.2], 1),
    ],
)
def test_a_baseline_must_be_improved_on(baseline, values, epochs_since) -> None:
    stopping, here = EarlyStopping(monitor="loss", patience=5, baseline=baseline), context()
    for epoch, value in enumerate(values, 1):
        here.record = RunState(epoch, epoch, {"loss": value})
        stopping.on_step_end(here)
    assert stopping.state_dict() == {"best": 2.0, "epochs_since": epochs_since}


def test_a_run_that_it_ended_goes_on_with_more_patience_or_without_it(tmp_path) -> None:
    def ended(patience: int | None, epochs: int = 9) -> str:
        stopping = {} if patience is None else {"e": EarlyStopping(monitor="loss", patience=patience, min_delta=1e9)}
        return prepared(tmp_path / "run", {**stopping, "c": Checkpoint()}, epochs).completion

    run(tmp_path / "run", {"e": EarlyStopping(monitor="loss", patience=2, min_delta=1e9), "c": Checkpoint()}, epochs=9)
    told = "stopped early at epoch 3 of 9: loss has not improved on "
    assert ended(2).startswith(told)
    assert ended(2).endswith("for 2 epochs; it goes on with callbacks.e.patience above 2, or without callbacks.e")
    assert ended(1).startswith(told)
    assert ended(2, epochs=50).startswith("stopped early at epoch 3 of 50")
    assert ended(2, epochs=3) == "epoch 3 of 3 is complete"
    assert ended(3) == ended(None) == ""

    straight = {"e": EarlyStopping(monitor="loss", patience=4, min_delta=1e9), "c": Checkpoint()}
    run(tmp_path / "straight", straight, epochs=9)
    run(tmp_path / "run", {"e": EarlyStopping(monitor="loss", patience=4, min_delta=1e9), "c": Checkpoint()}, epochs=9)
    assert_same_bits(tmp_path / "run/checkpoints/model-5", tmp_path / "straight/checkpoints/model-5")
    assert run(tmp_path / "run", {"c": Checkpoint()}, epochs=9).epoch == 9


def test_a_callback_of_a_user_that_stopped_a_run_keeps_it_so_until_it_is_left_out(tmp_path) -> None:
    class Stop(Callback):
        schedule = Schedule(every_n_epochs=1)

        def on_step_end(self, context: Context) -> None:
            context.request_stop("enough")

    run(tmp_path / "run", {"mine": Stop(), "c": Checkpoint()})
    told = "stopped early at epoch 1 of 3: enough; it goes on without callbacks.mine"
    assert prepared(tmp_path / "run", {"mine": Stop(), "c": Checkpoint()}).completion == told
    assert prepared(tmp_path / "run", {"other": Stop(), "c": Checkpoint()}).completion == ""


def test_it_restores_the_best_for_the_exports(tmp_path) -> None:
    class Worse(Callback):
        """Reports a metric that is the best in epoch 2."""

        schedule = Schedule(every_n_epochs=1)

        def reported_metrics(self, build: Any) -> list[str]:
            return ["val_mine"]

        def on_step_end(self, context: Context) -> None:
            context.report({"val_mine": abs(context.record.epoch - 2)})

    def callbacks(**of_saver: Any) -> dict[str, Callback]:
        stopping = EarlyStopping(monitor="val_mine", patience=2, restore_best=True)
        return {"w": Worse(), "e": stopping, "c": Checkpoint(**of_saver), "f": Freeze()}

    kept = {"keep_best": 1, "monitor": "val_mine"}
    run(tmp_path / "run", callbacks(**kept), epochs=9)
    manifest = json.loads((tmp_path / "run/export/frozen/model.json").read_text())
    assert (manifest["epoch"], manifest["checkpoint"]) == (2, "checkpoints/model-2")
    w = variables(tmp_path / "run/checkpoints/model-2")["w"]
    assert w.tobytes() in (tmp_path / "run/export/frozen/model.pb").read_bytes()

    needs = r"callbacks\.e: restore_best needs callbacks\.c\.keep_best=1"
    with pytest.raises(RequestError, match=needs):
        run(tmp_path / "none", callbacks())
    needs = (
        r"restore_best needs a saver with the same metric: callbacks\.c\.monitor=val_mine and mode=min \(.*loss and min"
    )
    with pytest.raises(RequestError, match=needs):
        run(tmp_path / "other", callbacks(keep_best=1))
