"""Checkpoints that are written while training goes on."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from tests.helpers import assert_same_bits, run
from trainer.callback import Callback, Context
from trainer.checkpoints.store import CheckpointStore
from trainer.errors import CallbackError, NonFiniteError
from trainer.schedule import Schedule

v1 = tf.compat.v1


@pytest.fixture
def saver_saves(monkeypatch):
    """Puts a function in the place of ``Saver.save``, which it gets as its first argument."""

    def replace(instead) -> None:
        real = v1.train.Saver.save
        monkeypatch.setattr(v1.train.Saver, "save", lambda *args, **options: instead(real, *args, **options))

    return replace


class EachEpoch(Callback):
    """Calls a function with the context at the end of each epoch."""

    schedule = Schedule(every_n_epochs=1)

    def __init__(self, call) -> None:
        self.call = call

    def on_step_end(self, context: Context) -> None:
        self.call(context)


def test_the_same_files_and_bits_as_in_the_foreground(tmp_path) -> None:
    for background in (False, True):
        callbacks = {"m": Metrics(), "c": Checkpoint(every_n_epochs=2, max_to_keep=2, background=background)}
        run(tmp_path / str(background), callbacks, epochs=7)
    before, after = tmp_path / "False", tmp_path / "True"
    names = {str(path.relative_to(before)) for path in before.rglob("*")}
    assert names == {str(path.relative_to(after)) for path in after.rglob("*")}
    for name in ("model-6", "model-7"):
        assert_same_bits(before / "checkpoints" / name, after / "checkpoints" / name)
    facts = [json.loads((each / "run.json").read_text()) for each in (before, after)]
    assert facts[0]["newest_checkpoint"] == facts[1]["newest_checkpoint"] == "checkpoints/model-7"


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, saver_saves) -> None:
    """The save of epoch 2 ends only when epoch 3 has, and holds epoch 2 all the same."""
    third_epoch_ended, in_time = threading.Event(), []

    def waiting(save, saver, session, path, **options):
        if path.endswith("model-2"):
            in_time.append(third_epoch_ended.wait(30))
        return save(saver, session, path, **options)

    saver_saves(waiting)
    note = EachEpoch(lambda context: third_epoch_ended.set() if context.record.epoch == 3 else None)
    run(tmp_path / "run", {"note": note, "c": Checkpoint(every_n_epochs=2)}, epochs=4)
    assert in_time == [True]
    run(tmp_path / "straight", {"c": Checkpoint(every_n_epochs=2, background=False)}, epochs=2)
    assert_same_bits(tmp_path / "run/checkpoints/model-2", tmp_path / "straight/checkpoints/model-2")


def test_commits_keep_their_order_and_none_overlap(tmp_path, saver_saves) -> None:
    events: list[str] = []

    def noting(save, saver, session, path, **options):
        events.append(f"begin {path[-1]}")
        result = save(saver, session, path, **options)
        events.append(f"end {path[-1]}")
        return result

    saver_saves(noting)
    run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=1, max_to_keep=0)}, epochs=5)
    assert events == [f"{what} {epoch}" for epoch in range(1, 6) for what in ("begin", "end")]
    records, _ = CheckpointStore(tmp_path / "run/checkpoints", "model").records()
    assert [record.saved_at for record in records] == sorted(record.saved_at for record in records)


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_failed_save_is_said_at_the_next_due_point_and_tried_again(tmp_path, saver_saves, caplog) -> None:
    saver_saves(lambda save, *args, **options: full() if args[2].endswith("model-2") else save(*args, **options))
    said = []
    note = EachEpoch(lambda context: said.append((context.record.epoch, len(caplog.records))))
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "run", {"note": note, "c": Checkpoint(every_n_epochs=2)}, epochs=6)
    assert "no checkpoint of step 10 ([Errno 28] No space left on device); it is tried again when due" in caplog.text
    assert dict(said)[4] == 0
    assert dict(said)[5] == 1
    assert [path.name for path in (tmp_path / "run/checkpoints").glob("*.index")] == ["model-4.index", "model-6.index"]


def test_the_last_save_is_tried_again_at_the_end_and_its_failure_is_the_run_s(tmp_path, saver_saves) -> None:
    saver_saves(lambda save, *args, **options: full() if args[2].endswith("model-3") else save(*args, **options))
    with pytest.raises(CallbackError, match="No space left on device"):
        run(tmp_path / "run", epochs=3)
    record = CheckpointStore(tmp_path / "run/checkpoints", "model").records()[0][-1]
    assert record.epoch == 2


@pytest.mark.parametrize("epoch", [2, 3])
def test_a_variable_that_is_no_number_stops_the_run_and_is_never_committed(tmp_path, epoch) -> None:
    """In the middle it is noticed when the next save is due, at the end before the run counts as finished."""

    def spoil(context: Context) -> None:
        if context.record.epoch == epoch:
            graph = context.session.graph
            handle = next(v for v in graph.get_collection("variables") if v.op.name == "b")
            context.session.run(handle.initializer, {handle.initializer.inputs[1]: np.float32([np.nan])})

    with pytest.raises(NonFiniteError, match=rf"the variable b .* step {5 * epoch}"):
        run(tmp_path / "run", {"spoil": EachEpoch(spoil), "c": Checkpoint(every_n_epochs=1)}, epochs=3)
    records, _ = CheckpointStore(tmp_path / "run/checkpoints", "model").records()
    assert [record.epoch for record in records] == list(range(1, epoch))
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "failed"


def test_where_memory_is_short_it_says_so_and_training_waits(tmp_path, saver_saves, monkeypatch, caplog) -> None:
    threads = []

    def noting(save, *args, **options):
        threads.append(threading.current_thread())
        return save(*args, **options)

    saver_saves(noting)
    monkeypatch.setattr("callbacks.checkpoint.available_bytes", lambda: 10)
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "run", epochs=2)
    assert "training waits for each checkpoint: a copy of the variables needs 56 B of memory" in caplog.text
    assert set(threads) == {threading.main_thread()}
