"""What must hold when things go wrong; the numbers are those of the list that the project keeps of them."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.metrics import Metrics
from callbacks.nan_guard import NanGuard
from callbacks.saved_model import SavedModel
from tests.faults import Faults, fault_soak
from tests.processes import ROOT
from tests.small import Line, assert_same_bits, points, run, variables
from tests.soak import kill_soak
from trainer.artifacts.frozen import read_frozen
from trainer.callback import Callback, Context, Phase
from trainer.checkpoints.record import read_record
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import CallbackError, CheckpointError, NonFiniteError, RequestError
from trainer.runs.lock import RunLock
from trainer.runs.resume import check_writable
from trainer.schedule import Schedule
from trainer.signals import Signals

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Path:
    """A run of four epochs that nobody touched."""
    directory = tmp_path_factory.mktemp("straight") / "run"
    run(directory, {"m": Metrics(), "c": Checkpoint(every_n_epochs=1)}, epochs=4)
    return directory


@pytest.fixture
def three(tmp_path) -> Path:
    """The same run, three epochs far."""
    run(tmp_path / "run", {"m": Metrics(), "c": Checkpoint(every_n_epochs=1)}, epochs=3)
    return tmp_path / "run"


def test_01_killed_at_random_and_resumed_until_it_is_done() -> None:
    tally = kill_soak(kills=3, seed=1, say=lambda _: None, epochs=1500)
    assert sum(tally.kills.values()) >= 3


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.chmod(0o644)
    # A file of its own: .meta is a hard link that other checkpoints share.
    path.unlink()
    path.write_bytes(data)


DAMAGE = {
    "flipped": _flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("suffix", ["data-00000-of-00001", "index", "meta", "json"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_03_04_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(
    three, straight, caplog, damage, suffix
) -> None:
    newest = three / "checkpoints" / f"model-3.{suffix}"
    if suffix == "meta" and damage != "missing":
        shutil.copy(newest, three / "copy")
        newest.unlink()
        (three / "copy").rename(newest)
    DAMAGE[damage](newest)
    with caplog.at_level(logging.INFO):
        run(three, {"m": Metrics(), "c": Checkpoint(every_n_epochs=1)}, epochs=4)
    assert_same_bits(three / "checkpoints/model-4", straight / "checkpoints/model-4")
    assert "resumed from model-2" in caplog.text
    aside = sorted(path.name for path in (three / "checkpoints").glob("damaged/*"))
    if (damage, suffix) != ("missing", "json"):  # then nothing says that it ever was a checkpoint
        assert f"model-3.{'index' if suffix != 'index' else 'meta'}" in aside


@pytest.mark.parametrize("content", [None, "", "garbage {"])
def test_04_the_state_file_does_not_matter(three, straight, content) -> None:
    state = three / "checkpoints" / "checkpoint"
    if content is None:
        state.unlink()
    else:
        state.write_text(content)
    run(three, epochs=4)
    assert_same_bits(three / "checkpoints/model-4", straight / "checkpoints/model-4")
    assert tf.train.latest_checkpoint(str(three / "checkpoints")).endswith("model-4")


def test_03_a_changed_digit_in_a_record_is_noticed(three) -> None:
    record = three / "checkpoints/model-3.json"
    record.write_text(record.read_text().replace('"global_step": 15', '"global_step": 16'))
    with pytest.raises(CheckpointError, match="not what was written"):
        read_record(record)


def test_05_all_damaged_is_an_error_that_lists_what_was_tried(three) -> None:
    for path in (three / "checkpoints").glob("*.data*"):
        _flip(path)
    before = {path: path.read_bytes() for path in three.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError) as refused:
        run(three, epochs=4)
    for number in (1, 2, 3):
        assert f"model-{number}.data-00000-of-00001 differs from what was written" in str(refused.value)
    assert {path: path.read_bytes() for path in three.rglob("*") if path.is_file()} == before


def start(directory: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", "+experiment=digits_mlp", f"run.dir={directory}", "resume=auto", *args],
        cwd=directory.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Any, secs: float = 60.0) -> None:
    limit = time.monotonic() + secs
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def epochs_seen(directory: Path) -> int:
    path = directory / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


ENDLESS = ["loop.epochs=1000000", "callbacks.evaluate.every_n_epochs=1000", "callbacks.checkpoint.every_n_epochs=1000"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_08_a_signal_in_training_saves_and_ends_with_its_code(tmp_path, number, code) -> None:
    directory = tmp_path / "run"
    process = start(directory, *ENDLESS)
    wait_until(lambda: epochs_seen(directory) > 10)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert stderr == f"error: stopped by {number.name}\n"
    facts = json.loads((directory / "run.json").read_text())
    assert facts["status"] == "interrupted"
    assert facts["epoch"] == epochs_seen(directory)
    assert not (directory / "run.lock").exists()


def test_08_a_signal_in_start_up_creates_nothing(tmp_path) -> None:
    process = start(tmp_path / "run")
    time.sleep(1.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert not (tmp_path / "run").exists()


def test_08_save_now_and_go_on(tmp_path) -> None:
    directory = tmp_path / "run"
    process = start(directory, *ENDLESS)
    wait_until(lambda: epochs_seen(directory) > 5)
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: list((directory / "checkpoints").glob("*.json")))
    seen = epochs_seen(directory)
    wait_until(lambda: epochs_seen(directory) > seen)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143


class SignalIn(Callback):
    """Sends this process a signal inside an event."""

    def __init__(self, phase: Phase, event: str) -> None:
        self.phase = phase  # type: ignore[misc]
        self.schedule = Schedule(every_n_epochs=2)
        setattr(self, event, lambda _context: os.kill(os.getpid(), signal.SIGTERM))


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        (Phase.OBSERVE, "on_step_end"),
        (Phase.SAVE, "on_step_end"),
        (Phase.OBSERVE, "on_train_end"),
        (Phase.EXPORT, "on_train_end"),
    ],
)
def test_08_a_signal_in_an_evaluation_a_save_or_an_export_leaves_a_saved_state(
    tmp_path, straight, phase, event
) -> None:
    from tests.small import job
    from trainer.errors import Interrupted
    from trainer.train import train

    def parts() -> dict[str, Callback]:
        return {"c": Checkpoint(every_n_epochs=1), "f": Freeze()}

    with Signals() as signals, pytest.raises(Interrupted) as stopped:
        train(job(tmp_path / "run", {"signal": SignalIn(phase, event), **parts()}, epochs=4), signals)
    assert stopped.value.exit_code == 143
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "interrupted"
    run(tmp_path / "run", parts(), epochs=4)
    assert_same_bits(tmp_path / "run/checkpoints/model-4", straight / "checkpoints/model-4")
    assert (tmp_path / "run/export/frozen/model.pb").exists()


def test_08_the_second_signal_ends_at_once_and_old_handlers_come_back() -> None:
    mine = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        handler = signal.getsignal(signal.SIGTERM)
        with Signals():
            os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, mine)


def test_28_process_1_keeps_its_handler_for_the_second_signal(monkeypatch) -> None:
    """The system ignores signals to process 1 that have no handler."""
    ended: list[int] = []
    with Signals() as signals:
        pid = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: 1)
        monkeypatch.setattr(os, "_exit", ended.append)
        os.kill(pid, signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signals._stop
        os.kill(pid, signal.SIGTERM)
    assert ended == [143]


def full(directory: Path, needed: int, what: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))


def test_09_a_full_disk_in_a_periodic_save_is_said_and_tried_again(tmp_path, monkeypatch, caplog) -> None:
    from trainer.checkpoints import saving

    failing = iter([False, True, False, False])
    real = saving.check_free_space
    monkeypatch.setattr(saving, "check_free_space", lambda *args: full(*args) if next(failing) else real(*args))
    run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=1)}, epochs=4)
    assert "no checkpoint of step 10" in caplog.text
    assert sorted(path.stem for path in (tmp_path / "run/checkpoints").glob("*.json")) == [
        "model-1",
        "model-3",
        "model-4",
    ]


def test_09_a_full_disk_in_the_last_save_fails_the_run(three, monkeypatch) -> None:
    from trainer.checkpoints import saving

    monkeypatch.setattr(saving, "check_free_space", full)
    with pytest.raises(CallbackError, match=r"callbacks\.c failed in on_train_end: .*No space left"):
        run(three, {"c": Checkpoint(every_n_epochs=None)}, epochs=4)
    assert json.loads((three / "run.json").read_text())["status"] == "failed"
    monkeypatch.undo()
    assert run(three, epochs=4).epoch == 4


def test_09_too_little_space_is_refused_at_start(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(RequestError, match=r"a checkpoint needs \d+ B and 10 B are free"):
        run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("callback", [Freeze, SavedModel])
def test_09_a_full_disk_in_an_export_leaves_nothing_under_a_final_name(three, callback) -> None:
    with Faults(three / "export", 3, errno.ENOSPC), pytest.raises(CallbackError, match="No space left"):
        run(three, {"c": Checkpoint(), "e": callback()}, epochs=4)
    assert [path for path in (three / "export").rglob("*") if path.is_file()] == []
    run(three, {"c": Checkpoint(), "e": callback()}, epochs=4)
    assert [path for path in (three / "export").rglob("*") if path.is_file()]


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
    import socket

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
    assert "run.lock is left behind (Input/output error)" in caplog.text
    with RunLock(path):
        pass
    assert not path.exists()


def test_11_what_happened_between_decision_and_lock_is_noticed(three) -> None:
    from tests.small import job
    from trainer.train import train

    decided = job(three, epochs=5)
    run(three, epochs=4)
    with pytest.raises(RequestError, match="another process has worked"):
        train(decided)


class NanAt(Line):
    """A loss that is no number for one example."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        bad = tf.reduce_any(labels["y"] > 1e6)
        return super().loss(outputs, labels) * tf.where(bad, np.nan, 1.0)


def poisoned() -> Arrays:
    arrays = points()
    arrays.labels["y"][13] = 1e9
    return arrays


@pytest.mark.parametrize("per_call", [1, 4, None])
def test_12_a_loss_that_is_no_number_stops_with_its_step(tmp_path, per_call) -> None:
    data = InMemory(poisoned(), batch_size=8, shuffle=False)
    parts = {"g": NanGuard(), "c": Checkpoint(every_n_epochs=None, every_n_steps=1)}
    with pytest.raises(NonFiniteError, match=r"^loss is nan after step 2$"):
        run(tmp_path / "run", parts, data=data, make_model=NanAt, steps_per_call=per_call)
    assert [path.stem for path in (tmp_path / "run/checkpoints").glob("*.json")] == ["model-1"]
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "failed"


def test_12_a_variable_that_is_no_number_is_never_committed(three) -> None:
    class Poison(Callback):
        schedule = Schedule(every_n_epochs=1)

        def on_step_end(self, context: Context) -> None:
            (w,) = [v for v in context.session.graph.get_collection("variables") if v.op.name == "w"]
            w.load([[np.inf], [0.0]], context.session)

    before = {path: path.read_bytes() for path in (three / "checkpoints").glob("*.json")}
    with pytest.raises(NonFiniteError, match=r"the variable w is inf after step 20"):
        run(three, {"p": Poison(), "c": Checkpoint(every_n_epochs=1)}, epochs=5)
    assert {path: path.read_bytes() for path in (three / "checkpoints").glob("*.json")} == before


def poisoned_dataset() -> tf.data.Dataset:
    arrays = poisoned()
    return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (lambda: InMemory(poisoned(), batch_size=8, shuffle=False), "off"),
        (lambda: InMemory(poisoned(), batch_size=8, shuffle=False), "xla"),
        (lambda: Streamed(poisoned_dataset, batch_size=8, shuffle_buffer=0), "off"),
    ],
    ids=["in memory", "compiled", "tf.data"],
)
def test_12_a_rollback_leaves_the_batch_out_and_lowers_the_rate(tmp_path, data, mode) -> None:
    from trainer.graph.optimizers import ScaledRate

    changes: dict[str, Any] = {
        "make_optimizer": lambda _step, scale: keras.optimizers.SGD(ScaledRate(0.1, scale)),
        "make_model": NanAt,
        "may_roll_back": True,
        "compile": mode,
    }
    parts = {"g": NanGuard(action="rollback", max_rollbacks=2), "c": Checkpoint(every_n_epochs=None, every_n_steps=1)}
    run(tmp_path / "run", parts, data=data(), epochs=1, **changes)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert [(each["step"], each["to"]) for each in facts["rollbacks"]] == [(2, "model-1")]
    stored = variables(tmp_path / "run/checkpoints/model-5")
    assert stored["rollback/rate_scale"] == 0.5
    # The same steps in NumPy: batch 1 is left out, so step 2 takes batch 2 and so on; the last takes batch 0 again.
    clean = points()
    x, y = clean.inputs["x"], clean.labels["y"]
    first = variables(tmp_path / "run/checkpoints/model-1")
    w, b = first["w"].astype(float), first["b"].astype(float)
    for batch in (2, 3, 4, 0):
        part = slice(8 * batch, 8 * batch + 8)
        error = x[part] @ w + b - y[part]
        w, b = w - 0.05 * 2 * x[part].T @ error / 8, b - 0.05 * 2 * error.sum(axis=0) / 8
    assert stored["w"] == pytest.approx(w, rel=1e-4, abs=1e-5)
    assert stored["b"] == pytest.approx(b, rel=1e-4, abs=1e-5)


def test_12_rollbacks_are_counted(tmp_path) -> None:
    class Always(Line):
        def loss(self, outputs: Any, labels: Any) -> Any:
            return super().loss(outputs, labels) * np.nan

    from trainer.graph.optimizers import ScaledRate

    parts = {"g": NanGuard(action="rollback", max_rollbacks=2), "c": Checkpoint()}
    optimizer = {"make_optimizer": lambda _step, scale: keras.optimizers.SGD(ScaledRate(0.1, scale))}
    with pytest.raises(NonFiniteError, match="loss is nan after step 1"):
        run(tmp_path / "run", parts, make_model=Always, may_roll_back=True, **optimizer)
    assert len(json.loads((tmp_path / "run/run.json").read_text())["rollbacks"]) == 2


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
    assert "nothing to do" in done.stdout


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


@pytest.mark.parametrize("damage", DAMAGE)
def test_19_a_damaged_pb_is_refused(linear_run, tmp_path, damage) -> None:
    shutil.copytree(linear_run[0] / "export/frozen", tmp_path / "frozen")
    assert read_frozen(tmp_path / "frozen/model.pb").node
    DAMAGE[damage](tmp_path / "frozen/model.pb")
    with pytest.raises(RequestError, match=r"model\.pb"):
        read_frozen(tmp_path / "frozen/model.pb")
    (tmp_path / "frozen/model.json").unlink()
    if damage != "flipped":  # nothing in the format tells of a flipped byte
        with pytest.raises(RequestError, match=r"model\.pb"):
            read_frozen(tmp_path / "frozen/model.pb")


def test_20_after_a_kill_in_an_export_the_next_one_succeeds(three) -> None:
    leftover = three / "export/saved_model/.tmp-99-4"
    leftover.mkdir(parents=True)
    (leftover / "saved_model.pb").write_text("half")
    (three / "export/frozen").mkdir()
    (three / "export/frozen/.tmp-99-model.pb").write_text("half")
    run(three, {"c": Checkpoint(), "f": Freeze(), "s": SavedModel()}, epochs=4)
    assert sorted(path.name for path in (three / "export").glob("*/*")) == ["4", "model.json", "model.pb"]


def test_21_each_file_operation_fails_in_turn() -> None:
    """Every seventeenth here; scripts/soak --faults lets each one fail, with three errors."""
    assert fault_soak([errno.ENOSPC], lambda _: None, step=17) > 3


def test_22_all_is_synced_before_the_record_appears_and_nothing_old_goes_before_that(three, monkeypatch) -> None:
    seen: list[str] = []

    def note(name: str, real: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            path = args[-1] if name == "replace" else args[0]
            path = Path(f"/proc/self/fd/{path}").readlink() if isinstance(path, int) else Path(path)
            if "checkpoints" in str(path):
                seen.append(f"{name} {path.name}")
            return real(*args, **kwargs)

        return wrapped

    for name in ("fsync", "replace", "unlink"):
        monkeypatch.setattr(os, name, note(name, getattr(os, name)))
    run(three, {"c": Checkpoint(every_n_epochs=1, max_to_keep=1)}, epochs=4)
    seen = seen[seen.index("fsync model-4.data-00000-of-00001") :]
    record = seen.index("replace model-4.json")
    before, after = seen[:record], seen[record + 1 :]
    for name in ("model-4.data-00000-of-00001", "model-4.index", "model-4.meta"):
        assert f"fsync {name}" in before
    assert before.index("fsync checkpoints") > before.index("fsync model-4.index")
    assert any(each.startswith("fsync .tmp-") and each.endswith("model-4.json") for each in before)
    assert not [each for each in before if each.startswith("unlink model-3")]
    assert after[0] == "fsync checkpoints"
    assert "unlink model-3.index" in after


def test_23_many_saves_do_not_slow_down_or_grow(tmp_path) -> None:
    class Measure(Callback):
        schedule = Schedule(every_n_epochs=100)

        def __init__(self) -> None:
            self.operations: list[int] = []
            self.secs: list[float] = []
            self.pages: list[int] = []

        def on_step_end(self, context: Context) -> None:
            self.operations.append(len(context.session.graph.get_operations()))
            self.secs.append(time.perf_counter())
            self.pages.append(int(Path("/proc/self/statm").read_text().split()[1]))

    measure = Measure()
    run(tmp_path / "run", {"m": measure, "c": Checkpoint(every_n_epochs=1, max_to_keep=2)}, epochs=500)
    assert len(set(measure.operations)) == 1
    each = np.diff(measure.secs)
    assert each[-1] < 3 * each[0]
    assert (measure.pages[-1] - measure.pages[1]) * 4096 < 50e6


def test_28_a_place_that_cannot_be_written_is_refused_at_start(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(RequestError, match="cannot be written by this user"):
        check_writable(tmp_path / "a/b")
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="is a file"):
        check_writable(tmp_path / "file/b")


def test_28_a_run_directory_that_cannot_be_written_is_refused_before_anything_is_made(tmp_path, monkeypatch) -> None:
    def denied(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith("run.lock"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *args, **kwargs)

    real = os.open
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(RequestError, match="cannot be written"):
        run(tmp_path / "run")


def test_a_checkpoint_without_a_record_gives_variables_and_step_to_a_new_run(three, straight, tmp_path) -> None:
    (three / "checkpoints/model-3.json").unlink()
    run(tmp_path / "new", resume=str(three / "checkpoints/model-3"), epochs=4)
    assert_same_bits(tmp_path / "new/checkpoints/model-4", straight / "checkpoints/model-4")


def test_a_stateful_random_op_is_reported_with_its_name(tmp_path, caplog) -> None:
    class Noisy(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            noise = tf.random.normal([8, 2], name="my_noise") if training else 0.0
            return super().__call__({"x": inputs["x"] + noise}, training)

    run(tmp_path / "run", {}, make_model=Noisy, epochs=1)
    assert "my_noise" in caplog.text
    assert "tf.random.stateless" in caplog.text
