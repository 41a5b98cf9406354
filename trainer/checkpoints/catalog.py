"""Catalog of the checkpoints in a directory, from this trainer or a plain ``tf.compat.v1.train.Saver``."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainer.checkpoints.record import best_first
from trainer.checkpoints.store import INDEX, STATE_FILE
from trainer.checkpoints.stored_checkpoint import FILE_OF_CHECKPOINT, StoredCheckpoint, stored_checkpoints
from trainer.checks import check_choice, close_matches, suggestion
from trainer.errors import CheckpointError, RequestError
from trainer.files import local_path
from trainer.runs.checkpoint_settings import checkpoint_settings_of
from trainer.runs.directory import MAX_NAMES, RunDirectory, resolve_run
from trainer.state import CheckpointSettings

log = logging.getLogger(__name__)

STATE_LINE = re.compile(r'^(?:all_)?model_checkpoint_paths?: "(?P<path>.*)"$', re.MULTILINE)

LAST, BEST = "last", "best"
"""Words that select a checkpoint of a directory, as in ``DIRECTORY@best``."""


@dataclass(frozen=True)
class Catalog:
    """Checkpoints of a directory, the oldest first.

    Args:
        directory: Directory that holds the files.
        run: Run that the checkpoints belong to, or None.
        checkpoints: All checkpoints, damaged ones included.
        listed: Names in TensorFlow's ``checkpoint`` file, the newest first.
    """

    directory: Path
    run: RunDirectory | None
    checkpoints: tuple[StoredCheckpoint, ...]
    listed: tuple[str, ...] = ()

    @property
    def prefixes(self) -> list[str]:
        """Prefixes of the checkpoints' names, sorted."""
        return sorted({each.name_prefix for each in self.checkpoints})

    def checkpointing(self, prefix: str) -> CheckpointSettings:
        """Returns the settings of the run's saver for the checkpoints of a prefix."""
        return checkpoint_settings_of(self.run.path if self.run else None, prefix)

    def last(self, *, allow_damaged: bool = False) -> StoredCheckpoint:
        """Returns the newest checkpoint that verifies; warns about each one that was skipped.

        Args:
            allow_damaged: Whether the newest one is returned where none verifies.

        Raises:
            CheckpointError: No checkpoint verifies; the message lists what was tried.
        """
        problems = []
        for checkpoint in self._newest_first():
            try:
                checkpoint.verify()
            except CheckpointError as error:
                problems.append(str(error))
            else:
                for problem in problems:
                    log.warning("skipped: %s", problem)
                return checkpoint
        if allow_damaged:
            return self._newest_first()[0]
        reasons = "\n  ".join(problems)
        raise CheckpointError(f"{self.directory} has no good checkpoint:\n  {reasons}")

    def _newest_first(self) -> list[StoredCheckpoint]:
        # A checkpoint without a number, such as an average, is not a step of the training: numbered ones come first.
        candidates = [each for each in self.checkpoints if each.number is not None] or list(self.checkpoints)
        # Checkpoints of a plain Saver have no record with their order; its state file names the newest.
        candidates.reverse()
        candidates.sort(key=lambda each: each.record is not None or each.name not in self.listed[:1])
        return candidates

    def best(self, monitor: str | None = None, mode: str | None = None) -> StoredCheckpoint:
        """Returns the checkpoint with the best metric in its commit record.

        Args:
            monitor: Metric that decides which checkpoint is the best; None for that of the run's saver.
            mode: ``min`` or ``max``, the end of the metric that is best; None for that of the run's saver.

        Raises:
            RequestError: No record has the metric; the message has close names.
        """
        for prefix in self.prefixes:
            known = self.checkpointing(prefix)
            metric, end = monitor or known.monitor, check_choice("mode", mode or known.mode, ("min", "max"))
            records = [each.record for each in self.checkpoints if each.record and each.name_prefix == prefix]
            if ranked := best_first(records, metric, end):
                return self.named(ranked[0].name)
        metrics = {name for each in self.checkpoints if each.record for name in each.record.metrics}
        if not metrics:
            raise RequestError(f"{self.directory}: no commit record has metrics, so no checkpoint is the best")
        raise RequestError(f"no checkpoint has the metric {metric!r}; {suggestion(metric, metrics)}")

    def named(self, which: str) -> StoredCheckpoint:
        """Returns the checkpoint with a name or a number.

        Raises:
            RequestError: There is no such checkpoint; the message has close names.
        """
        exact = [each for each in self.checkpoints if each.name == which]
        # model-7+43 was saved inside the eighth epoch: 7 means the one at the end of the seventh.
        numbered = sorted(
            (each for each in self.checkpoints if str(each.number) == which), key=lambda c: ("+" in c.name, c.name)
        )
        if not exact and not numbered:
            names = [*(each.name for each in self.checkpoints), LAST, BEST]
            raise RequestError(f"{self.directory} has no checkpoint {which!r}; {suggestion(which, names)}")
        if not exact and len({each.name_prefix for each in numbered}) > 1:
            raise RequestError(f"{which!r} may be {' or '.join(each.name for each in numbered)}; give the name")
        return (exact or numbered)[0]


def read_catalog(path: str | Path) -> Catalog:
    """Returns the catalog of a run or a checkpoint directory; reads no large file.

    Args:
        path: Run directory, checkpoint directory, or directory of runs for the newest run that has a checkpoint.

    Raises:
        RequestError: The path is not a directory, or holds no checkpoint; the message says what is there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("model-90", "model-100"):
        ...     for suffix in (".index", ".data-00000-of-00001"):
        ...         (folder / f"{name}{suffix}").touch()
        >>> [each.name for each in read_catalog(folder).checkpoints]
        ['model-90', 'model-100']
    """
    path = local_path(path)
    if not path.is_dir():
        raise RequestError(nothing_at(path, "directory"))
    directory, checkpoints = _checkpoints_in(path)
    if not checkpoints:
        raise RequestError(_no_checkpoint(directory))
    # The paths "." and ".." have a name and a parent only as absolute paths.
    above = directory.parent if directory.name not in ("", "..") else directory.resolve().parent
    run = RunDirectory(above)
    return Catalog(directory, run if run.run_file.is_file() else None, checkpoints, listed_names(directory))


def _checkpoints_in(path: Path) -> tuple[Path, tuple[StoredCheckpoint, ...]]:
    directory = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    if checkpoints := stored_checkpoints(directory):
        return directory, checkpoints
    run = resolve_run(path, lambda each: bool(stored_checkpoints(each.checkpoints)))
    if run is None or run.path == path:
        return directory, ()
    return run.checkpoints, stored_checkpoints(run.checkpoints)


def _no_checkpoint(directory: Path) -> str:
    found = f"found {_some(each.name for each in directory.iterdir())}" if any(directory.iterdir()) else "it is empty"
    listed = ", ".join(listed_names(directory)[:3])
    gone = f"; {STATE_FILE} names {listed}, whose files are not here" if listed else ""
    return (
        f"{directory} holds no checkpoint (looked for *{INDEX}, a run's checkpoints/, and runs that have some; "
        f"{found}{gone})"
    )


def list_checkpoints(path: str | Path) -> tuple[StoredCheckpoint, ...]:
    """Returns the checkpoints of a run or of a directory, the oldest first, damaged ones included.

    Args:
        path: Run directory, checkpoint directory, or directory of runs, as for ``read_catalog``.

    Raises:
        RequestError: The path is not a directory, or holds no checkpoint.
    """
    return read_catalog(path).checkpoints


def run_of(checkpoint: StoredCheckpoint) -> RunDirectory | None:
    """Returns the run that a checkpoint belongs to, or None."""
    return read_catalog(checkpoint.directory).run


def listed_names(directory: Path) -> tuple[str, ...]:
    """Returns the checkpoints' names in TensorFlow's state file, the newest first, without their directories."""
    try:
        text = (directory / STATE_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(dict.fromkeys(Path(match["path"]).name for match in STATE_LINE.finditer(text)))


def nothing_at(path: Path, what: str = "file, directory or checkpoint") -> str:
    """Returns the error message for a path that does not exist, with close names.

    Args:
        path: Path that does not exist.
        what: Kind of thing that was expected there.

    Example:
        >>> nothing_at(Path("/nowhere/model-3"))
        'there is no directory /nowhere'
    """
    missing = next((each for each in reversed(path.parents) if not each.is_dir()), None)
    if missing is not None:
        return f"there is no directory {missing}{_beside(missing, all_names=False)}"
    return f"there is no {what} {path}{_beside(path)}"


def _beside(path: Path, *, all_names: bool = True) -> str:
    """Returns a hint with close names in the directory of a path, or with all names if none is close."""
    if not path.parent.is_dir() or not os.access(path.parent, os.R_OK | os.X_OK):
        return ""
    names = [each.name for each in path.parent.iterdir() if not each.name.startswith(".")]
    checkpoints = [each.name for each in stored_checkpoints(path.parent)]
    parts = {name for name in names if (part := FILE_OF_CHECKPOINT.fullmatch(name)) and part["name"] in checkpoints}
    known = {*checkpoints, *names} - parts
    if near := close_matches(path.name, sorted(known)):
        return f"; did you mean {' or '.join(near)}?"
    there = f"; {path.parent} has: {_some(known)}" if known else f"; {path.parent} is empty"
    return there if all_names else ""


def _some(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join([*shown[:MAX_NAMES], *(["..."] if len(shown) > MAX_NAMES else [])])
