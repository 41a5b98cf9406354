"""Files of weights that are no checkpoints of a Saver: Keras's, NumPy's, SavedModels, frozen graphs; no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from trainer.checkpoints.stored_checkpoint import checkpoint_at

Kind = Literal["h5", "keras", "npz", "saved_model", "frozen"]

SUFFIXES: dict[str, Kind] = {".h5": "h5", ".hdf5": "h5", ".keras": "keras", ".npz": "npz", ".pb": "frozen"}
"""Kind of a file by its suffix."""


def weights_at(path: str | Path) -> tuple[Kind, Path] | None:
    """Returns the kind of a file of weights and its path, a directory for a SavedModel; None for anything else.

    A directory of numbered SavedModels means the one with the highest number.

    Example:
        >>> weights_at(Path("outputs/mine@best")) is None
        True
    """
    path = Path(path)
    if path.is_dir():
        numbered = [each for each in path.iterdir() if each.name.isdecimal() and _is_saved_model(each)]
        newest = max(numbered, key=lambda each: int(each.name), default=None)
        found = path if _is_saved_model(path) else newest
        return None if found is None else ("saved_model", found)
    if path.name == "saved_model.pb" and path.is_file():
        return "saved_model", path.parent
    kind = SUFFIXES.get(path.suffix)
    return (kind, path) if kind and path.is_file() and not checkpoint_at(path) else None


def _is_saved_model(path: Path) -> bool:
    return (path / "saved_model.pb").is_file()
