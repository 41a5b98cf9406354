"""The metrics file of a run that was resumed, or killed after a save."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from tests.helpers import run, timeless
from trainer.api.result import stored_metrics
from trainer.callback import Callback, Context, Phase
from trainer.errors import Interrupted
from trainer.schedule import Schedule
from trainer.state import SECS_KEYS


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
    straight, killed = ([timeless(line) for line in lines(tmp_path / name)] for name in ("straight", "killed"))
    assert straight == killed


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


def test_rows_within_epochs_are_the_same_bits_however_the_run_is_cut(tmp_path) -> None:
    """A run by single steps, one that is killed between two rows and two saves, and one of fused calls."""

    class Fail(Callback):
        schedule = Schedule(every_n_steps=11)

        def on_step_end(self, context: Context) -> None:
            raise OSError

    def callbacks() -> dict[str, Callback]:
        return {"m": Metrics(), "c": Checkpoint(every_n_epochs=None, every_n_steps=7)}

    for name, per_call in (("single", 1), ("fused", 100)):
        run(tmp_path / name, callbacks(), epochs=4, steps_per_call=per_call, log_every_n_steps=3)
    with pytest.raises(Exception, match="OSError"):
        run(tmp_path / "killed", {**callbacks(), "f": Fail()}, epochs=4, log_every_n_steps=3)
    assert lines(tmp_path / "killed")[-1]["global_step"] == 10
    run(tmp_path / "killed", callbacks(), epochs=4, log_every_n_steps=3)
    single, fused, killed = (
        [timeless(line) for line in lines(tmp_path / name)] for name in ("single", "fused", "killed")
    )
    assert single == fused == killed
    assert [(line["epoch"], line.get("step_in_epoch"), line["global_step"]) for line in single] == [
        *[(0, 3, 3), (1, None, 5), (1, 1, 6), (1, 4, 9), (2, None, 10)],
        *[(2, 2, 12), (2, 5, 15), (3, None, 15), (3, 3, 18), (4, None, 20)],
    ]
    assert [stored["epoch"] for stored in stored_metrics(tmp_path / "fused/metrics.jsonl")] == [1, 2, 3, 4]


def test_where_the_time_of_an_epoch_went(tmp_path) -> None:
    class Slow(Callback):
        def on_epoch_begin(self, context: Context) -> None:
            time.sleep(0.02)

    run(tmp_path / "run", {"s": Slow(), "m": Metrics(), "c": Checkpoint()}, epochs=3)
    for line in lines(tmp_path / "run"):
        assert line["secs_compute"] > 0
        assert line["secs_callbacks"] >= 0.02
        assert set(SECS_KEYS) <= line.keys()
    assert not set(SECS_KEYS) & stored_metrics(tmp_path / "run/metrics.jsonl")[0].keys()
