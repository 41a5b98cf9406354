"""The command at the end of a run: what it is told, when it runs, and that it never changes the outcome."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.notify import Notify
from tests.helpers import run
from trainer.callback import Callback, Context, Phase
from trainer.errors import CallbackError, Interrupted
from trainer.runs.directory import RunDirectory

NOTE = (
    "import json, os, sys; from pathlib import Path; "
    "told = {name: text for name, text in os.environ.items() if name.startswith('RUN_')}; "
    "told['exports'] = sorted(path.name for path in Path(told['RUN_DIR']).glob('export/frozen/*')); "
    "Path(sys.argv[1]).write_text(json.dumps(told))"
)


def noting(file: Path) -> list[str]:
    """Returns a command that writes what it is told into a file."""
    return [sys.executable, "-c", NOTE, str(file)]


class End(Callback):
    """Callback that ends a run with an error at its second epoch, or does so after training."""

    phase = Phase.EXPORT

    def __init__(self, error: BaseException | None, *, at_the_end: bool = False) -> None:
        self._error, self._at_the_end = error, at_the_end

    def on_epoch_end(self, context: Context) -> None:
        if self._error is not None and context.record.epoch == 2 and not self._at_the_end:
            raise self._error

    def on_train_end(self, context: Context) -> None:
        if self._error is not None and self._at_the_end:
            raise self._error


@pytest.mark.parametrize(
    ("end", "status", "epoch", "error"),
    [
        (End(None), "finished", "3", ""),
        (End(OSError("no road")), "failed", "2", "callbacks.end failed in on_epoch_end: OSError: no road"),
        (End(Interrupted(15, "SIGTERM")), "interrupted", "2", "stopped by SIGTERM"),
        (
            End(OSError("no road"), at_the_end=True),
            "failed",
            "3",
            "callbacks.end failed in on_train_end: OSError: no road",
        ),
    ],
)
def test_each_end_is_told_after_all_else(end, status, epoch, error, tmp_path) -> None:
    callbacks = {"notify": Notify(command=noting(tmp_path / "told")), "c": Checkpoint(), "f": Freeze(), "end": end}
    try:
        run(tmp_path / "run", callbacks)
    except (CallbackError, Interrupted):
        assert status != "finished"
    told = json.loads((tmp_path / "told").read_text())
    assert (told["RUN_STATUS"], told["RUN_EPOCH"], told["RUN_NAME"]) == (status, epoch, "test")
    assert error in told["RUN_ERROR"]
    assert bool(error) == bool(told["RUN_ERROR"])
    assert Path(told["RUN_DIR"]) == tmp_path / "run"
    assert json.loads(told["RUN_METRICS"])["loss"] > 0
    assert told["exports"] == (["model.json", "model.pb"] if epoch == "3" else [])
    assert RunDirectory(tmp_path / "run").info().status == status


def test_what_is_not_asked_for_runs_nothing(tmp_path) -> None:
    run(tmp_path / "run", {"n": Notify(command=noting(tmp_path / "told"), when=["failed"])}, epochs=1)
    with pytest.raises(Exception, match="too early"):

        class Refuses(Callback):
            def on_build(self, build: object) -> None:
                raise ValueError("too early")

        run(tmp_path / "other", {"n": Notify(command=noting(tmp_path / "told")), "r": Refuses()})
    assert not (tmp_path / "told").exists()


def test_a_command_that_fails_or_lasts_is_a_warning(tmp_path, caplog) -> None:
    slow = "sleep 60 & echo $! > child; sleep 60"
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert run(tmp_path / "a", {"n": Notify(command="sh -c 'exit 3'"), "c": Checkpoint()}, epochs=1).epoch == 1
        lasting = Notify(command=["sh", "-c", f"cd {tmp_path}; {slow}"], timeout_secs=1)
        assert run(tmp_path / "b", {"n": lasting, "c": Checkpoint()}, epochs=1).epoch == 1
    assert time.monotonic() - began < 30
    assert [record.getMessage() for record in caplog.records if record.name == "callbacks.notify"] == [
        "callbacks.notify.command (sh) ended with exit code 3",
        "callbacks.notify.command (sh) lasted over 1 s",
    ]
    child = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"command": "nosuchprogram x"}, "no program nosuchprogram on the PATH"),
        ({"command": []}, "command is empty"),
        ({"command": "echo 'open"}, "No closing quotation"),
        ({"command": [1]}, "not a name"),
        ({"when": ["finish"]}, "did you mean finished"),
        ({"timeout_secs": 0}, "greater than 0"),
    ],
)
def test_a_wrong_value_is_refused_at_once(arguments, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        Notify(**arguments)
