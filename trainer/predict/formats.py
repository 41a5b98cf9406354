"""Which format a path holds, and which files; no TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from trainer.errors import RequestError

Format = Literal["checkpoint", "frozen", "saved_model", "meta"]

PART_OF_CHECKPOINT = re.compile(r"(.+)\.(index|meta|data-\d{5}-of-\d{5})")


def detect_format(path: Path) -> tuple[Format, Path]:
    """Returns the format of what is at a path, and the path to open it by.

    A run directory is its checkpoints, ``RUN@best`` one of them, the parent of numbered SavedModels is the one of the
    highest number, and each file of a checkpoint stands for the checkpoint.

    Raises:
        RequestError: there is nothing.
    """
    if path.is_dir():
        return _of_directory(path)
    if path.name.startswith("saved_model.pb") and path.is_file():
        return "saved_model", path.parent
    part = PART_OF_CHECKPOINT.fullmatch(path.name)
    if part and path.is_file():
        prefix = path.with_name(part.group(1))
        return ("checkpoint", prefix) if has_checkpoint(prefix) else ("meta", path)
    if has_checkpoint(path):
        return "checkpoint", path
    if path.is_file():
        return "frozen", path
    folder, at, _ = str(path).rpartition("@")
    if at and Path(folder).is_dir():
        return "checkpoint", path
    near = sorted(each.name for each in path.parent.iterdir())[:8] if path.parent.is_dir() else []
    there = f"; {path.parent} has: {', '.join(near)}" if near else ""
    raise RequestError(f"there is no file, directory or checkpoint {path}{there}")


def _of_directory(path: Path) -> tuple[Format, Path]:
    if saved_model_file(path):
        return "saved_model", path
    numbered = [each for each in path.iterdir() if each.name.isdecimal() and saved_model_file(each)]
    if numbered:
        return "saved_model", max(numbered, key=lambda each: int(each.name))
    return "checkpoint", path


def saved_model_file(path: Path) -> Path | None:
    """Returns the file that makes a directory a SavedModel, or None."""
    files = (path / name for name in ("saved_model.pb", "saved_model.pbtxt"))
    return next((file for file in files if file.is_file()), None)


def has_checkpoint(prefix: Path) -> bool:
    """Returns whether a checkpoint has this prefix, in the format of today or in that of before 2017.

    The old format is one file of the prefix itself; it has no extension that says so.
    """
    if prefix.with_name(f"{prefix.name}.index").is_file():
        return True
    return prefix.is_file() and prefix.with_name(f"{prefix.name}.meta").is_file()
