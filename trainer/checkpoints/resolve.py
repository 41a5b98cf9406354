"""The checkpoint that a person names to begin with."""

from __future__ import annotations

from pathlib import Path

from trainer.checkpoints.catalog import find_checkpoint, listed_names
from trainer.checkpoints.store import INDEX
from trainer.runs.directory import runs_in

NEWER = (".index", ".meta", ".json", ".data-00000-of-00001")
"""What the files of a checkpoint end in since TensorFlow 0.12; before, a checkpoint was one file."""


def resolve_checkpoint(path: Path) -> Path:
    """Returns the prefix of the newest good checkpoint at a place.

    Args:
        path: of a run directory, a directory of runs (for the newest that has one), a checkpoint
            directory, ``DIRECTORY@WHICH`` with a number, ``last`` or ``best``, or the prefix of a
            checkpoint; this trainer's or plain TensorFlow's, also in the one-file format of its
            first versions.

    Raises:
        RequestError: there is none; the message says what is there.
        CheckpointError: it is damaged.
    """
    if is_one_file(path):
        return path
    runs = [run.path for run in runs_in(path) if any(run.checkpoints.glob(f"*{INDEX}"))]
    place = runs[-1] if runs else path
    if old := _one_file_in(place):
        return old
    found = find_checkpoint(place)
    # Of a directory the newest that verifies is taken; what was named is taken, or refused.
    if not place.is_dir():
        found.verify()
    return found.prefix


def _one_file_in(place: Path) -> Path | None:
    """Returns the newest checkpoint of a directory that has only those of the old format."""
    if not place.is_dir() or (place / "checkpoints").is_dir() or any(place.glob(f"*{INDEX}")):
        return None
    return next((place / name for name in listed_names(place) if is_one_file(place / name)), None)


def is_one_file(path: Path) -> bool:
    """Returns whether a path may be a checkpoint in the format of TensorFlow's first versions."""
    return path.is_file() and not path.name.endswith(NEWER)
