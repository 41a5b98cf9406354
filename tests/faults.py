"""Faults: each file operation of a run fails in turn, then the run is resumed and compared."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.soak import DeviationError, check_nothing_is_left_over, files
from trainer.checkpoints.store import CheckpointStore
from trainer.errors import CheckpointError


class Faults:
    """Lets the n-th file operation below a directory fail; use it in a ``with`` block.

    Python raises an audit event before each open, rename, link, unlink and mkdir; an error raised in its hook
    becomes the error of the operation. fsync has no event, and TensorFlow writes without Python; both are
    replaced.
    """

    installed: Faults | None = None

    def __init__(self, directory: Path, at: int, code: int) -> None:
        self.directory, self.at, self.code = str(directory), at, code
        self.count = 0
        self.failed = ""

    def __enter__(self) -> Faults:
        import tensorflow as tf

        if Faults.installed is None:
            sys.addaudithook(_audit)
        Faults.installed = self
        saver = tf.compat.v1.train.Saver
        self._originals = os.fsync, saver.save
        os.fsync = self._fsync
        faults, save = self, saver.save

        def failing_save(self: Any, session: Any, path: str, **options: Any) -> Any:
            faults.operation("Saver.save before", path)
            result = save(self, session, path, **options)
            faults.operation("Saver.save after", path)
            return result

        saver.save = failing_save
        return self

    def __exit__(self, *_: object) -> None:
        import tensorflow as tf

        Faults.installed = _Nothing
        os.fsync, tf.compat.v1.train.Saver.save = self._originals

    def _fsync(self, descriptor: int) -> None:
        self.operation("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        self._originals[0](descriptor)

    def operation(self, name: str, path: str) -> None:
        if not path.startswith(self.directory) or self.failed:
            return
        self.count += 1
        if self.count == self.at:
            self.failed = f"{name} {Path(path).name}"
            raise OSError(self.code, os.strerror(self.code), path)


class _NoFaults:
    def operation(self, name: str, path: str) -> None:
        """Does not fail."""


_Nothing: Any = _NoFaults()
AUDITED = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in AUDITED and Faults.installed is not None and arguments:
        path = arguments[0]
        if isinstance(path, str | os.PathLike):
            Faults.installed.operation(event, os.fspath(path))


def fault_soak(codes: list[int], say: Callable[[str], None], step: int = 1, limit: int = 10_000) -> int:
    """Lets each file operation of a run fail in turn, then resumes; returns the number of operations."""
    from callbacks.checkpoint import Checkpoint
    from callbacks.freeze import Freeze
    from callbacks.saved_model import SavedModel
    from tests.helpers import assert_same_bits, run

    def parts() -> dict[str, Any]:
        checkpoint = Checkpoint(every_n_epochs=1, max_to_keep=1)
        return {"checkpoint": checkpoint, "freeze": Freeze(), "saved_model": SavedModel()}

    tried = 0
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        reference = Path(folder) / "reference"
        run(reference, parts(), epochs=3)
        for code in codes:
            for at in range(1, limit, step):
                directory = Path(folder) / f"{code}-{at}"
                outcome, failed = _one_fault(directory, at, code, lambda d: run(d, parts(), epochs=3))
                if not failed:
                    shutil.rmtree(directory, ignore_errors=True)
                    break
                tried += 1
                _check_after_fault(directory, failed)
                if directory.exists() and not (directory / "run.json").exists():
                    shutil.rmtree(directory)
                run(directory, parts(), epochs=3)
                assert_same_bits(reference / "checkpoints/model-3", directory / "checkpoints/model-3")
                check_nothing_is_left_over(directory)
                # A rotation does not count a failed save, so one older checkpoint may be kept in its place.
                wanted = {name for name in files(reference) if not name.startswith("checkpoints/model-")}
                missing = wanted - files(directory)
                if missing:
                    raise DeviationError(f"after {failed}: missing: {sorted(missing)}")
                say(f"{os.strerror(code)}, operation {at}: {failed}: {outcome}, then resumed and the same")
                shutil.rmtree(directory)
    return tried


def _one_fault(directory: Path, at: int, code: int, train: Callable[[Path], Any]) -> tuple[str, str]:
    from trainer.errors import TrainerError

    with Faults(directory, at, code) as faults:
        try:
            train(directory)
            outcome = "went on"
        except (TrainerError, OSError) as error:
            outcome = f"ended with {type(error).__name__}"
    return outcome, faults.failed


def _check_after_fault(directory: Path, failed: str) -> None:
    """Checks that the old or the new checkpoint is there, complete; never none after the first commit."""
    store = CheckpointStore(directory / "checkpoints", "model")
    records, unreadable = store.records()
    if unreadable:
        raise DeviationError(f"after {failed}: {unreadable}")
    for record in records:
        try:
            store.verify(record)
        except CheckpointError as error:
            raise DeviationError(f"after {failed}: a committed checkpoint does not verify: {error}") from error
    facts = directory / "run.json"
    if facts.exists() and json.loads(facts.read_text()).get("newest_checkpoint") and not records:
        raise DeviationError(f"after {failed}: no checkpoint is left")
