"""Detection of the format of a model by its files; no TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from trainer.checkpoints.catalog import nothing_at
from trainer.checkpoints.resolve import split_reference
from trainer.checkpoints.stored_checkpoint import checkpoint_at
from trainer.errors import RequestError

Format = Literal["checkpoint", "frozen", "saved_model", "meta"]

PART_OF_CHECKPOINT = re.compile(r"(.+)\.(index|meta|data-\d{5}-of-\d{5})")


def detect_format(path: Path) -> tuple[Format, Path]:
    """Returns the format of a model, and the path to open it with.

    A directory of numbered SavedModels means the one with the highest number. Any other directory means a checkpoint.

    Args:
        path: Path of a file or a directory, or a reference as for ``trainer.checkpoints.find``.

    Raises:
        RequestError: The path has no file, directory or checkpoint.
    """
    if path.is_dir():
        return _of_directory(path)
    if path.name.startswith("saved_model.pb") and path.is_file():
        return "saved_model", path.parent
    if checkpoint := checkpoint_at(path):
        return "checkpoint", checkpoint.prefix
    if path.is_file():
        return ("meta" if PART_OF_CHECKPOINT.fullmatch(path.name) else "frozen"), path
    directory, which = split_reference(path)
    if which is None:
        raise RequestError(nothing_at(path))
    if not directory.is_dir():
        raise RequestError(nothing_at(directory, "directory"))
    return "checkpoint", path


def _of_directory(path: Path) -> tuple[Format, Path]:
    if saved_model_file(path):
        return "saved_model", path
    numbered = [each for each in path.iterdir() if each.name.isdecimal() and saved_model_file(each)]
    if numbered:
        return "saved_model", max(numbered, key=lambda each: int(each.name))
    return "checkpoint", path


def saved_model_file(path: Path) -> Path | None:
    """Returns the ``saved_model.pb`` or ``.pbtxt`` of a directory; None if it is not a SavedModel."""
    files = (path / name for name in ("saved_model.pb", "saved_model.pbtxt"))
    return next((file for file in files if file.is_file()), None)
