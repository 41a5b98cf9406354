"""A run directory that is moved, locked or finished; settings that changed; callbacks that raise."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import socket
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.faults import Faults
from tests.helpers import assert_same_bits, job, run, variables
from tests.scenarios.running import ENDLESS, epochs_seen, start, wait_until
from trainer.callback import Callback
from trainer.errors import CallbackError, RequestError
from trainer.runs.lock import RunLock
from trainer.schedule import Schedule
from trainer.training.train import train_job


def test_10_a_directory_that_was_moved_or_copied_works_in_its_new_place(three, straight, tmp_path) -> None:
    shutil.copytree(three, tmp_path / "copy")
    for path in (three / "checkpoints").glob("model-*"):
        path.unlink()
    assert tf.train.latest_checkpoint(str(tmp_path / "copy/checkpoints")) == str(tmp_path / "copy/checkpoints/model-3")
    (tmp_path / "copy").rename(tmp_path / "moved")
    run(tmp_path / "moved", epochs=4)
    assert_same_bits(tmp_path / "moved/checkpoints/model-4", straight / "checkpoints/model-4")
    assert list((three / "checkpoints").glob("model-*")) == []


def test_11_a_second_run_on_the_same_directory_is_refused(tmp_path) -> None:
    directory = tmp_path / "run"
    process = start(directory, *ENDLESS)
    try:
        wait_until(lambda: epochs_seen(directory) > 1)
        with pytest.raises(RequestError, match=rf"in use by process {process.pid} on "):
            run(directory, epochs=4)
    finally:
        process.kill()
        process.communicate()


def test_11_the_lock_of_a_process_that_is_gone_is_taken_over(three, caplog) -> None:

    (three / "run.lock").write_text(json.dumps({"host": socket.gethostname(), "pid": 1}))
    with caplog.at_level(logging.INFO):
        assert run(three, epochs=4).epoch == 4
    assert "taken over from process 1" in caplog.text


def test_11_the_lock_of_another_host_is_refused_with_how_to_override(three) -> None:
    (three / "run.lock").write_text(json.dumps({"host": "elsewhere", "pid": 7}))
    with pytest.raises(RequestError, match=r"process 7 on elsewhere.*remove .*run\.lock"):
        run(three, epochs=4)
    assert (three / "run.lock").exists()
    with pytest.raises(RequestError), RunLock(three / "run.lock"):
        pass


def test_11_a_lock_that_is_freed_while_another_process_opens_it_is_held_by_one_only(tmp_path, monkeypatch) -> None:
    path, flock, removed = tmp_path / "run.lock", fcntl.flock, []

    def after_a_removal(descriptor: int, how: int) -> None:
        if not removed:
            removed.append(path.unlink())
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", after_a_removal)
    with RunLock(path), pytest.raises(RequestError, match=f"in use by process {os.getpid()} on .* since 20"):
        RunLock(path).__enter__()


def test_11_a_lock_file_that_cannot_be_removed_hinders_nothing(tmp_path, caplog) -> None:
    path = tmp_path / "run.lock"
    with Faults(tmp_path, 2, errno.EIO) as faults, RunLock(path):
        pass
    assert faults.failed == "os.remove run.lock"
    assert "run.lock cannot be removed (Input/output error)" in caplog.text
    with RunLock(path):
        pass
    assert not path.exists()


def test_11_what_happened_between_decision_and_lock_is_noticed(three) -> None:

    decided = job(three, epochs=5)
    run(three, epochs=4)
    with pytest.raises(RequestError, match="another process has worked"):
        train_job(decided)


EVENTS = ["on_train_begin", "on_epoch_begin", "on_call_end", "on_step_end", "on_epoch_end", "on_train_end"]


@pytest.mark.parametrize("event", EVENTS)
def test_13_after_an_error_in_any_event_the_last_commit_is_valid(three, straight, event) -> None:
    class Bad(Callback):
        schedule = Schedule(every_n_epochs=1)

    bad = Bad()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("by nothing")

    setattr(bad, event, fail)
    with pytest.raises(CallbackError, match=rf"callbacks\.bad failed in {event}: ZeroDivisionError: by nothing"):
        run(three, {"bad": bad, "c": Checkpoint(every_n_epochs=1)}, epochs=4)
    run(three, epochs=4)
    assert_same_bits(three / "checkpoints/model-4", straight / "checkpoints/model-4")


def test_15_a_finished_run_with_fewer_epochs_says_so(trainer, tmp_path) -> None:
    assert trainer("+experiment=linear", "loop.epochs=3").returncode == 0
    done = trainer("+experiment=linear", "loop.epochs=2", "resume=latest")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to do, epoch 3 is complete and loop.epochs is 2; set it to more than 3 to continue" in done.stdout


def test_16_changed_settings(trainer, tmp_path, no_tensorflow) -> None:
    common = ["+experiment=linear", "run.dir=run"]
    assert trainer(*common, "loop.epochs=2").returncode == 0
    again = [*common, "loop.epochs=3", "resume=auto", "callbacks.checkpoint.max_to_keep=2"]
    refused = trainer(*again, "optimizer.learning_rate=0.1", "seed=4", **no_tensorflow)
    assert refused.returncode == 2
    assert "optimizer.learning_rate: 0.05 -> 0.1\n  seed: 0 -> 4\n" in refused.stderr
    assert "resume_changes=allow" in refused.stderr
    taken = trainer(*again, "optimizer.learning_rate=0.1", "resume_changes=allow")
    assert taken.returncode == 0
    assert variables(tmp_path / "run/checkpoints/model-3")["SGD_1/learning_rate"] == np.float32(0.1)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["changes"] == [
        "callbacks.checkpoint.max_to_keep: 4 -> 2",
        "loop.epochs: 2 -> 3",
        "optimizer.learning_rate: 0.05 -> 0.1",
    ]


def test_a_checkpoint_without_a_record_gives_variables_and_step_to_a_new_run(three, straight, tmp_path) -> None:
    (three / "checkpoints/model-3.json").unlink()
    run(tmp_path / "new", resume=str(three / "checkpoints/model-3"), epochs=4)
    assert_same_bits(tmp_path / "new/checkpoints/model-4", straight / "checkpoints/model-4")
