"""Early stopping, the metrics file, progress."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.early_stopping import EarlyStopping
from callbacks.metrics import Metrics
from callbacks.progress import Progress
from tests.helpers import run
from trainer.callback import Callback, Context, Phase
from trainer.errors import RequestError
from trainer.runs.directory import RunDirectory
from trainer.schedule import Schedule
from trainer.state import RunState


def context() -> Context:
    return Context(None, RunDirectory(Path("x")), RunState(0, 0), total_epochs=10, steps_per_epoch=5, resume_state=None)


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
    assert here.stop_reason == "loss has not got better than 1.0 for 2 epochs"


def test_a_metric_that_nothing_reports_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"monitor \('val_los'\) is not known; .*loss"):
        run(tmp_path / "run", {"e": EarlyStopping(monitor="val_los")})


def test_a_run_that_stopped_early_says_why(tmp_path) -> None:
    stopping = EarlyStopping(monitor="loss", patience=1, min_delta=1e9)
    run(tmp_path / "run", {"e": stopping, "c": Checkpoint()}, epochs=50)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert (facts["status"], facts["epoch"]) == ("finished", 2)
    assert "has not got better" in facts["stop_reason"]


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_metrics_of_a_resumed_run_are_those_of_a_straight_one(tmp_path) -> None:
    class Fail(Callback):
        def on_epoch_end(self, context: Context) -> None:
            if context.record.epoch == 5:
                raise OSError

    run(tmp_path / "straight", {"m": Metrics(), "c": Checkpoint(every_n_epochs=2)}, epochs=6)
    with pytest.raises(Exception, match="OSError"):
        run(tmp_path / "killed", {"m": Metrics(), "c": Checkpoint(every_n_epochs=2), "f": Fail()}, epochs=6)
    assert [line["epoch"] for line in lines(tmp_path / "killed")] == [1, 2, 3, 4, 5]
    with (tmp_path / "killed/metrics.jsonl").open("a") as file:
        file.write('{"epoch": 6, "glo')  # a line cut by a kill
    run(tmp_path / "killed", {"m": Metrics(), "c": Checkpoint(every_n_epochs=2)}, epochs=6)
    without_speed = [
        [{**line, "steps_per_sec": 0} for line in lines(tmp_path / name)] for name in ("straight", "killed")
    ]
    assert without_speed[0] == without_speed[1]


def test_no_checkpoint_is_ahead_of_the_metrics(tmp_path) -> None:
    """Lines are written in blocks; a kill right after a save in the middle of an epoch must find them all."""
    seen = []

    class After(Callback):
        phase = Phase.EXPORT
        schedule = Schedule(every_n_steps=7)

        def on_step_end(self, context: Context) -> None:
            seen.append((context.record.epoch, len(lines(tmp_path / "run"))))

    callbacks = {"m": Metrics(), "c": Checkpoint(every_n_epochs=None, every_n_steps=7), "a": After()}
    run(tmp_path / "run", callbacks, epochs=6, steps_per_call=30)
    assert seen == [(1, 1), (2, 2), (4, 4), (5, 5)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_at_most_every_few_seconds(caplog) -> None:
    clock = Clock()
    progress, here = Progress(every_n_secs=5, clock=clock), context()
    with caplog.at_level(logging.INFO):
        progress.on_train_begin(here)
        for step in range(1, 25):
            clock.now = step * 0.5
            here.record = RunState(step // 5, step, {"loss": 0.5, "steps_per_sec": 2.0})
            progress.on_step_end(here)
        progress.on_train_end(here)
    assert caplog.messages == [
        "epoch 2/10: loss 0.5, 2.0 steps/s",
        "epoch 4/10: loss 0.5, 2.0 steps/s",
        "epoch 4/10: loss 0.5, 2.0 steps/s",
    ]
