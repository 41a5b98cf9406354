"""A disk that is full, that fails or that cannot be written; the order of file operations."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.faults import Faults, fault_soak
from tests.helpers import run
from trainer.callback import Callback, Context
from trainer.errors import CallbackError, RequestError
from trainer.schedule import Schedule
from trainer.training.resume import check_writable

PLENTY = 10**12


@pytest.fixture
def disk(monkeypatch) -> SimpleNamespace:
    """What the system says of every disk, to be changed."""
    usage = SimpleNamespace(free=PLENTY)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    return usage


class FullAt(Callback):
    """Fills the disk at the end of an epoch, until the end of the next."""

    schedule = Schedule(every_n_epochs=1)

    def __init__(self, disk: SimpleNamespace, epoch: int) -> None:
        self.disk, self.epoch = disk, epoch

    def on_step_end(self, context: Context) -> None:
        self.disk.free = 10 if context.record.epoch == self.epoch else PLENTY


def test_09_a_full_disk_in_a_periodic_save_is_said_and_tried_again(tmp_path, monkeypatch, caplog) -> None:
    free = iter([PLENTY, PLENTY, 10, PLENTY, PLENTY])  # read at the start and before each save
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=1)}, epochs=4)
    assert "no checkpoint of step 10" in caplog.text
    assert sorted(path.stem for path in (tmp_path / "run/checkpoints").glob("*.json")) == [
        "model-1",
        "model-3",
        "model-4",
    ]


def test_09_a_full_disk_in_the_last_save_fails_the_run(three, disk) -> None:
    with pytest.raises(CallbackError, match=r"callbacks\.c failed in on_train_end: .*No space left"):
        run(three, {"full": FullAt(disk, 4), "c": Checkpoint(every_n_epochs=None)}, epochs=4)
    assert json.loads((three / "run.json").read_text())["status"] == "failed"
    disk.free = PLENTY
    assert run(three, epochs=4).epoch == 4


def test_09_too_little_space_is_refused_at_start(tmp_path, disk) -> None:
    disk.free = 10
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


def test_20_after_a_kill_in_an_export_the_next_one_succeeds(three) -> None:
    leftover = three / "export/saved_model/.tmp-99-4"
    leftover.mkdir(parents=True)
    (leftover / "saved_model.pb").write_text("half")
    (three / "export/frozen").mkdir()
    (three / "export/frozen/.tmp-99-model.pb").write_text("half")
    run(three, {"c": Checkpoint(), "f": Freeze(), "s": SavedModel()}, epochs=4)
    assert sorted(path.name for path in (three / "export").glob("*/*")) == ["4", "model.json", "model.pb"]


def test_21_each_file_operation_fails_in_turn() -> None:
    """Every forty-seventh here; scripts/soak --faults lets each one fail, with three errors."""
    assert fault_soak([errno.ENOSPC], lambda _: None, step=47) > 3


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
    assert "fsync checkpoints" in before[before.index("fsync model-4.index") :]
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
