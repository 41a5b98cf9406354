"""Finding and reading the graph of a checkpoint, its ``.meta``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.variable_pb2 import VariableDef

from trainer.checkpoints.store import META
from trainer.checkpoints.stored_checkpoint import NUMBERED, StoredCheckpoint
from trainer.errors import CheckpointError, RequestError

v1 = tf.compat.v1


def find_meta(checkpoint: StoredCheckpoint) -> Path | None:
    """Returns the ``.meta`` that has the graph of a checkpoint, or None.

    A Saver that writes the graph once (``write_meta_graph=False`` in later saves) leaves it beside one
    checkpoint of a series. Its own file comes first, then ``<series>.meta``, which this trainer writes,
    then that of the last checkpoint before it, then that of the first after it.

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
    others = {place: path for path in _metas(checkpoint.directory) if (place := _place(path.stem, checkpoint))}
    here = _place(checkpoint.name, checkpoint)
    if not others or here is None:
        return None
    before = [place for place in others if place <= here]
    return others[max(before) if before else min(others)]


def _metas(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob(f"*{META}") if path.is_file())


def _place(name: str, checkpoint: StoredCheckpoint) -> tuple[int, int] | None:
    """Returns the place of a name in the series of a checkpoint; None where it is of another series."""
    match = NUMBERED.fullmatch(name)
    if match is None or match["prefix"] != checkpoint.name_prefix:
        return None
    return int(match["number"]), int(match["steps"] or 0)


def require_meta(checkpoint: StoredCheckpoint, remedy: str) -> Path:
    """Returns the ``.meta`` that has the graph of a checkpoint.

    Args:
        checkpoint: Checkpoint, as for ``find_meta``.
        remedy: What the user can do without one, for the message.

    Raises:
        RequestError: There is none; the message has what was looked for and what is there.
    """
    if found := find_meta(checkpoint):
        return found
    series = checkpoint.name_prefix
    looked_for = dict.fromkeys(f"{name}{META}" for name in (checkpoint.name, series, f"{series}-*"))
    there = ", ".join(path.name for path in _metas(checkpoint.directory)) or "none"
    raise RequestError(
        f"{checkpoint.prefix} has no graph: looked for {', '.join(looked_for)}; .meta files there: {there}; {remedy}"
    )


def read_graph_of(checkpoint: StoredCheckpoint) -> Any:
    """Returns the MetaGraphDef of a checkpoint, or None where no ``.meta`` has it.

    Raises:
        CheckpointError: The ``.meta`` is damaged; the message says so where it belongs to another checkpoint.
        RequestError: It cannot be opened.
    """
    file = find_meta(checkpoint)
    if file is None:
        return None
    try:
        return read_meta(file)
    except CheckpointError as error:
        if file == checkpoint.own_meta:
            raise
        raise CheckpointError(f"{error}; {checkpoint.prefix} has no {META} of its own") from error


def read_meta(file: Path) -> Any:
    """Returns the MetaGraphDef of a ``.meta``; nothing of it is run.

    Raises:
        CheckpointError: It is damaged.
        RequestError: It cannot be opened.
    """
    try:
        meta = v1.MetaGraphDef.FromString(file.read_bytes())
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise CheckpointError(f"{file} is no graph, or only a part of one ({error})") from error
    if not meta.graph_def.node:
        raise CheckpointError(f"{file} holds no node of a graph")
    return meta


def trainable_names(meta: Any) -> set[str]:
    """Returns the names that the trainable variables of a MetaGraphDef have in a checkpoint."""
    values = meta.collection_def[v1.GraphKeys.TRAINABLE_VARIABLES].bytes_list.value
    variables = [VariableDef.FromString(value) for value in values]
    # The parts of a partitioned variable are one tensor in the file.
    return {v.save_slice_info_def.full_name or v.variable_name.partition(":")[0] for v in variables}
