"""The metrics file of a run that was resumed, or killed after a save."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from tests.helpers import run
from trainer.callback import Callback, Context, Phase
from trainer.errors import Interrupted
from trainer.schedule import Schedule


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


def test_an_epoch_whose_end_is_told_twice_has_one_line(tmp_path) -> None:
    """A signal cuts off the evaluation of epoch 2; the process that makes up for it is killed, and so is told again."""

    class Cut(Callback):
        """Callback before the others whose visit a signal cuts off, as it does an evaluation."""

        def __init__(self, when: int) -> None:
            self._when = when

        def on_epoch_end(self, context: Context) -> None:
            if context.record.epoch == self._when:
                raise Interrupted(15, "SIGTERM")

    class Killed(Callback):
        def on_epoch_begin(self, context: Context) -> None:
            raise OSError

    def callbacks(when: int) -> dict[str, Callback]:
        return {"cut": Cut(when), "m": Metrics(), "c": Checkpoint()}

    with pytest.raises(Interrupted):
        run(tmp_path / "run", callbacks(when=2), epochs=4)
    for _ in range(2):
        with pytest.raises(Exception, match="OSError"):
            run(tmp_path / "run", {**callbacks(when=0), "k": Killed()}, epochs=4)
        assert [line["epoch"] for line in lines(tmp_path / "run")] == [1, 2]
    run(tmp_path / "run", callbacks(when=0), epochs=4)
    assert [line["epoch"] for line in lines(tmp_path / "run")] == [1, 2, 3, 4]
