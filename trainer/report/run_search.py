"""Runs below the directories that a user named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from trainer.checkpoints.catalog import nothing_at
from trainer.errors import RequestError
from trainer.files import local_path

MAX_DEPTH = 6
"""Levels of directories in which runs are looked for."""


def runs_below(given: Sequence[str | Path]) -> list[Path]:
    """Returns the run directories that paths mean: themselves, or all below them, each once.

    Args:
        given: Run directories, or directories that hold some, such as a sweep.

    Raises:
        RequestError: A path is not a directory, or holds no run.
    """
    found: dict[Path, None] = {}
    for each in given:
        path = local_path(each)
        if not path.is_dir():
            raise RequestError(nothing_at(path, "directory"))
        runs = [path] if (path / "run.json").is_file() else sorted(_below(path, MAX_DEPTH))
        if not runs:
            raise RequestError(f"{path} holds no run (looked for run.json in it and {MAX_DEPTH} levels below)")
        found |= dict.fromkeys(runs)
    return list(found)


def _below(path: Path, depth: int) -> Iterable[Path]:
    try:
        folders = [Path(entry.path) for entry in os.scandir(path) if entry.is_dir(follow_symlinks=True)]
    except OSError:
        return
    for folder in folders:
        if (folder / "run.json").is_file():
            yield folder
        elif depth > 1 and not folder.name.startswith(".") and not folder.is_symlink():
            yield from _below(folder, depth - 1)
