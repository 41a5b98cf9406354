"""The history of a run: processes with their starts and ends, killed ones included."""

from __future__ import annotations

import json

import pytest

from callbacks.checkpoint import Checkpoint
from tests.helpers import run
from trainer.callback import Callback
from trainer.errors import CallbackError
from trainer.runs.directory import RunDirectory
from trainer.runs.history import MAX_ENTRIES, HistoryEntry, with_last, with_start
from trainer.training.job import Invocation


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, {"started": 3, "epoch": "x", "overrides": {}, "error": [1]}], ids=str
)
def test_what_others_wrote_is_read_as_far_as_it_is_known(value) -> None:
    assert HistoryEntry.from_json(value) == HistoryEntry("", status="")


def test_only_entries_without_an_end_are_taken_for_killed() -> None:
    ended = HistoryEntry("10:00", "failed", "10:30", error="no")
    history = with_start([ended, HistoryEntry("11:00")], HistoryEntry("13:00"), "12:00")
    assert [(each.status, each.ended) for each in history] == [
        ("failed", "10:30"),
        ("killed", "12:00"),
        ("running", None),
    ]
    # The file may be older than the start, where its clock or a copy is wrong.
    assert with_start([HistoryEntry("11:00")], HistoryEntry("13:00"), "")[0].ended == "11:00"


def test_a_run_that_restarts_a_thousand_times_keeps_the_newest() -> None:
    history: tuple[HistoryEntry, ...] = ()
    for i in range(1000):
        history = with_start(history, HistoryEntry(f"{i:04}"), f"{i:04}")
    assert len(history) == MAX_ENTRIES
    assert history[-1].started == "0999"
    assert with_last((), status="failed") == ()


class Fails(Callback):
    """Callback that fails at the end of the epoch."""

    def on_epoch_end(self, context) -> None:
        raise OSError("disk is gone")


def test_each_process_leaves_its_entry(tmp_path) -> None:
    def go(epochs: int, *more: Callback, **invocation) -> None:
        callbacks = {"c": Checkpoint(), **{str(i): each for i, each in enumerate(more)}}
        run(tmp_path / "run", callbacks, epochs=epochs, invocation=Invocation(**invocation))

    go(1, command="train a", overrides=("a=1",))
    with pytest.raises(CallbackError):
        go(2, Fails())
    directory = RunDirectory(tmp_path / "run")
    value = json.loads(directory.run_file.read_text())
    assert "disk is gone" in value["history"][1]["error"]
    del value["history"][1]["ended"]  # as a kill leaves it
    directory.run_file.write_text(json.dumps({**value, "status": "running"}))
    go(3, changes=("seed: 0 -> 1",))
    first, killed, last = directory.info().history
    assert (first.status, first.epoch, first.command, first.overrides, first.config) == (
        *("finished", 0, "train a", ("a=1",), "config.yaml"),
    )
    assert (killed.status, killed.epoch, killed.global_step, killed.config) == ("killed", 1, 5, "config-2.yaml")
    assert killed.started <= str(killed.ended) <= last.started
    assert (last.status, last.epoch, last.changes, last.config) == ("finished", 1, ("seed: 0 -> 1",), "config-3.yaml")
    assert last.host
