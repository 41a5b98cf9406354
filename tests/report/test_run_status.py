"""Status, times and best value of a run."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from trainer.report.epoch_rows import EpochRows
from trainer.report.run_status import best_value, words_of_status, worked_secs
from trainer.runs.history import HistoryEntry
from trainer.runs.run_info import RunInfo
from trainer.state import CheckpointSettings

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
ROWS = EpochRows(tuple({"epoch": i, "loss": 4.0 - i, "acc": [0.5, 0.9, 0.9][i - 1]} for i in (1, 2, 3)))


@pytest.mark.parametrize(
    ("info", "is_held", "words"),
    [
        (RunInfo(status="finished"), False, "finished"),
        (RunInfo(status="finished", stop_reason="enough"), False, "stopped early: enough"),
        (RunInfo(status="failed", error="loss is nan"), False, "failed: loss is nan"),
        (RunInfo(status="interrupted", error="stopped by SIGINT"), False, "interrupted: stopped by SIGINT"),
        (RunInfo(status="running"), True, "running"),
        (RunInfo(status="running"), False, "killed"),
        (RunInfo(), False, "unknown"),
    ],
)
def test_the_status_in_words(info, is_held, words) -> None:
    assert str(words_of_status(info, is_held)) == words


def entry(began: str, ended: str | None) -> HistoryEntry:
    day = "2026-11-27T{}+00:00"
    return HistoryEntry(day.format(began), ended=ended and day.format(ended))


@pytest.mark.parametrize(
    ("info", "secs"),
    [
        (RunInfo(), None),
        (RunInfo(started="soon", ended="later"), None),
        (RunInfo(started="2026-11-27T11:59:00+00:00"), 60.0),
        (RunInfo(history=(entry("10:00:00", "10:00:10"), entry("11:00:00", "11:00:05"))), 15.0),
        (RunInfo(history=(entry("10:00:00", "10:00:10"), entry("11:59:58", None))), 12.0),
        (RunInfo(status="finished", secs={"compute": 1.5, "x": "y"}, started="2026-11-27T10:00:00+00:00"), 1.5),
    ],
)
def test_the_seconds_of_all_processes(info, secs) -> None:
    assert worked_secs(info, NOW) == secs


def test_the_best_is_that_of_the_saver_that_keeps_it() -> None:
    by_accuracy = CheckpointSettings(monitor="acc", mode="max", keep_best=1)
    assert best_value(ROWS, [CheckpointSettings(), by_accuracy], []).epoch == 2
    kept = best_value(ROWS, [by_accuracy], [("model-3", 3.0)])
    assert (kept.value, kept.epoch, kept.checkpoint) == (0.9, 3.0, "model-3")
    assert best_value(ROWS, [CheckpointSettings(monitor="gone", keep_best=1)], []).metric == "loss"
    assert best_value(EpochRows(), [by_accuracy], []) is None
