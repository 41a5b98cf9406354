"""Run directory: the paths in it and its ``run.json``."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from trainer.errors import RequestError
from trainer.files import make_directory, remove_temporaries, write_atomically, write_json
from trainer.runs.run_info import RunInfo

MAX_NAMES = 7
"""Max number of names listed in a message."""


class RunDirectory:
    """Paths of a run and its ``run.json``, which is always whole and valid JSON.

    The constructor does not touch the disk.

    Args:
        path: Path of the directory; need not exist yet.

    Example:
        >>> run = RunDirectory(Path("outputs/linear/2026-11-23_14-07-00"))
        >>> str(run.metrics_file.relative_to(run.path))
        'metrics.jsonl'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.frozen = path / "export" / "frozen"
        self.saved_model = path / "export" / "saved_model"
        self.metrics_file = path / "metrics.jsonl"
        self.run_file = path / "run.json"
        self.lock_file = path / "run.lock"
        # A background save reports its checkpoint while training continues.
        self._writing = threading.Lock()

    def exists(self) -> bool:
        """Returns whether the directory exists and is not empty."""
        return self.path.is_dir() and any(self.path.iterdir())

    def create(self) -> None:
        """Makes the directory and those above it.

        Raises:
            RequestError: The directory cannot be made.
        """
        try:
            if not self.path.is_dir():
                make_directory(self.path)
        except OSError as error:
            raise RequestError(
                f"{self.path} cannot be made ({error.strerror}); choose another directory", argument="run_dir"
            ) from error

    def made_new(self) -> RunDirectory:
        """Makes this directory, or the next free one after it if another process has made it first.

        Raises:
            RequestError: The directory cannot be made.
        """
        path, count = self.path, 1
        while True:
            try:
                make_directory(path)
            except FileExistsError:
                count += 1
                path = self.path.with_name(f"{self.path.name}_{count}")
            except OSError as error:
                raise RequestError(
                    f"{path} cannot be made ({error.strerror}); choose another directory of runs", argument="root"
                ) from error
            else:
                return RunDirectory(path)

    def clean_up(self) -> None:
        """Removes the unfinished files of killed processes; call it under the run's lock."""
        for directory in (self.path, self.checkpoints, self.frozen, self.saved_model):
            remove_temporaries(directory)

    def info(self) -> RunInfo:
        """Returns the content of ``run.json``; nothing is known if the file is missing or cannot be read."""
        try:
            return self._read()
        except OSError:
            return RunInfo()

    def last_seen(self) -> str:
        """Returns the time at which a process last wrote metrics or ``run.json``, UTC, ISO 8601; "" if it never did."""
        files = (path for path in (self.run_file, self.metrics_file) if path.is_file())
        latest = max((path.stat().st_mtime for path in files), default=None)
        return "" if latest is None else datetime.fromtimestamp(latest, timezone.utc).isoformat(timespec="seconds")

    def update(self, change: Callable[[RunInfo], RunInfo]) -> None:
        """Reads ``run.json``, changes its content and replaces the file at once.

        Args:
            change: Function from the old content to the new content.

        Raises:
            OSError: The file is there and cannot be read, or cannot be written; it is as it was.
        """
        with self._writing:
            write_json(self.run_file, change(self._read()).to_json())

    def _read(self) -> RunInfo:
        try:
            return RunInfo.from_json(json.loads(self.run_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return RunInfo()

    def add_export(self, path: Path) -> None:
        """Adds an export to ``run.json``, unless it is there."""
        name = self.relative(path)
        self.update(lambda info: replace(info, exports=tuple(dict.fromkeys([*info.exports, name]))))

    def write_config(self, text: str) -> Path:
        """Writes the composed config of an invocation as config.yaml, config-2.yaml and so on; returns the path."""
        taken = {path.name for path in self.path.glob("config*.yaml")}
        names = (f"config-{i}.yaml" if i > 1 else "config.yaml" for i in range(1, len(taken) + 2))
        path = self.path / next(name for name in names if name not in taken)
        write_atomically(path, text)
        return path

    def relative(self, path: Path) -> str:
        """Returns a path relative to the directory, as ``run.json`` has it, so that the directory can be moved."""
        return path.relative_to(self.path).as_posix()


def new_directory(root: Path, name: str, now: datetime) -> RunDirectory:
    """Returns the directory of a run that starts now; it may exist already."""
    return RunDirectory(root / name / now.strftime("%Y-%m-%d_%H-%M-%S"))


def runs_of(root: Path, name: str) -> list[RunDirectory]:
    """Returns the runs with a name, the newest last."""
    return runs_in(root / name)


def runs_in(folder: Path) -> list[RunDirectory]:
    """Returns the runs whose directories are in a folder, the newest last; [] if it is not a directory."""
    if not folder.is_dir():
        return []
    runs = [RunDirectory(path) for path in folder.iterdir() if (path / "run.json").is_file()]
    return sorted(runs, key=lambda run: (run.info().started or "", run.path.name))


def resolve_run(path: Path, has: Callable[[RunDirectory], bool]) -> RunDirectory | None:
    """Returns the run that a path means: itself, or the newest suitable run in it.

    Args:
        path: Run directory, directory of runs (``outputs/linear``), or a directory of those (``outputs``).
        has: Function that returns whether a run is suitable; not called if the path itself is a run directory.

    Returns:
        Run, or None if the path is not a run and holds no suitable one.

    Raises:
        RequestError: The path holds suitable runs of several names; the message lists the names.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("linear/1", "linear/2", "other/3"):
        ...     RunDirectory(root / name).create()
        ...     RunDirectory(root / name).update(lambda info: info)
        >>> resolve_run(root / "linear", lambda run: True).path.name
        '2'
        >>> resolve_run(root, lambda run: run.path.name < "3").path.name
        '2'
        >>> resolve_run(root, lambda run: True)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: ... holds runs of several names: linear, other; name one, such as .../linear
    """
    if (path / "run.json").is_file():
        return RunDirectory(path)
    if runs := runs_in(path):
        return _newest_that(has, runs)
    found = {folder.name: run for folder in _folders_in(path) if (run := _newest_that(has, runs_in(folder)))}
    if len(found) > 1:
        names = sorted(found)
        shown = ", ".join([*names[:MAX_NAMES], *(["..."] if len(names) > MAX_NAMES else [])])
        raise RequestError(f"{path} holds runs of several names: {shown}; name one, such as {path / names[0]}")
    return next(iter(found.values()), None)


def _newest_that(has: Callable[[RunDirectory], bool], runs: Sequence[RunDirectory]) -> RunDirectory | None:
    return next((run for run in reversed(runs) if has(run)), None)


def _folders_in(path: Path) -> list[Path]:
    """Returns the folders that can be listed; a path such as a home directory may hold others."""
    return [each for each in path.iterdir() if each.is_dir() and os.access(each, os.R_OK | os.X_OK)]
