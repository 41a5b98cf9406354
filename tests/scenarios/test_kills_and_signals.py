"""A process that is killed, or told to stop by a signal."""

from __future__ import annotations

import json
import os
import signal

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from tests.helpers import assert_same_bits, job, run
from tests.scenarios.running import ENDLESS, epochs_seen, start, wait_until
from tests.soak import kill_soak
from trainer.callback import Callback, Phase
from trainer.errors import Interrupted
from trainer.schedule import Schedule
from trainer.training.signals import Signals
from trainer.training.train import train_job


def test_01_killed_at_random_and_resumed_until_it_is_done() -> None:
    tally = kill_soak(kills=3, seed=1, say=lambda _: None, epochs=600)
    assert sum(tally.kills.values()) >= 3


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
    process = start(tmp_path / "run", "-v")
    assert process.stdout is not None
    assert "finding the run" in process.stdout.readline()  # from here on signals are caught
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

    def parts() -> dict[str, Callback]:
        return {"c": Checkpoint(every_n_epochs=1), "f": Freeze()}

    with Signals() as signals, pytest.raises(Interrupted) as stopped:
        train_job(job(tmp_path / "run", {"signal": SignalIn(phase, event), **parts()}, epochs=4), signals)
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
    with Signals():
        pid, handler = os.getpid(), signal.getsignal(signal.SIGTERM)
        assert callable(handler)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        monkeypatch.setattr(os, "_exit", ended.append)
        os.kill(pid, signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == handler
        os.kill(pid, signal.SIGTERM)
    assert ended == [143]
