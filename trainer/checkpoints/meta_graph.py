"""Location of a checkpoint's graph: its own ``.meta``, or one of its series."""

from __future__ import annotations

from pathlib import Path

from trainer.checkpoints.store import META
from trainer.checkpoints.stored_checkpoint import NUMBERED, StoredCheckpoint
from trainer.errors import RequestError


def find_meta(checkpoint: StoredCheckpoint) -> Path | None:
    """Returns the ``.meta`` with the graph of a checkpoint, or None.

    A Saver that writes the graph once (``write_meta_graph=False`` in later saves) leaves it beside one
    checkpoint of a series. The checkpoint's own file comes first, then ``<series>.meta``, written by this
    trainer, then the file of the last checkpoint before it, then that of the first one after it.

    Args:
        checkpoint: Checkpoint, as ``trainer.checkpoints.find`` returns it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("model-1000.meta", "model-3000.meta", "other.meta"):
        ...     (folder / name).touch()
        >>> [find_meta(StoredCheckpoint(folder, f"model-{step}")).name for step in (500, 2000, 3000, 4000)]
        ['model-1000.meta', 'model-1000.meta', 'model-3000.meta', 'model-3000.meta']
    """
    if checkpoint.own_meta:
        return checkpoint.own_meta
    of_series = checkpoint.directory / f"{checkpoint.name_prefix}{META}"
    if of_series.is_file():
        return of_series
    others = {found: path for path in _metas(checkpoint.directory) if (found := _position(path.stem, checkpoint))}
    own = _position(checkpoint.name, checkpoint)
    if not others or own is None:
        return None
    before = [position for position in others if position <= own]
    return others[max(before) if before else min(others)]


def _metas(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob(f"*{META}") if path.is_file())


def _position(name: str, checkpoint: StoredCheckpoint) -> tuple[int, int] | None:
    """Returns the position of a name in the series of a checkpoint; None for a name of another series."""
    match = NUMBERED.fullmatch(name)
    if match is None or match["prefix"] != checkpoint.name_prefix:
        return None
    return int(match["number"]), int(match["steps"] or 0)


def require_meta(checkpoint: StoredCheckpoint, remedy: str) -> Path:
    """Returns the ``.meta`` with the graph of a checkpoint.

    Args:
        checkpoint: Checkpoint, as ``trainer.checkpoints.find`` returns it.
        remedy: Remedy for a checkpoint without a graph, for the message.

    Raises:
        RequestError: There is no ``.meta``; the message has the names that were looked for and those that exist.
    """
    if found := find_meta(checkpoint):
        return found
    series = checkpoint.name_prefix
    looked_for = dict.fromkeys(f"{name}{META}" for name in (checkpoint.name, series, f"{series}-*"))
    there = ", ".join(path.name for path in _metas(checkpoint.directory)) or "none"
    raise RequestError(
        f"{checkpoint.prefix} has no graph: looked for {', '.join(looked_for)}; .meta files there: {there}; {remedy}"
    )
