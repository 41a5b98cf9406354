"""Finding the graph of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.variable_pb2 import VariableDef

from trainer.checkpoints.store import META
from trainer.checkpoints.stored_checkpoint import NUMBERED
from trainer.errors import CheckpointError, RequestError

v1 = tf.compat.v1


def find_meta(prefix: Path) -> Path:
    """Returns the ``.meta`` of a checkpoint: its own, else one of the same series.

    Raises:
        RequestError: there is none; the message says what was looked for and what was found.
    """
    series = _series_of(prefix.name)
    own = [prefix.with_name(f"{name}{META}") for name in (prefix.name, series)]
    others = sorted(prefix.parent.glob(f"*{META}"), key=lambda path: path.stat().st_mtime_ns)
    same = [path for path in others if _series_of(path.stem) == series]
    found = next((path for path in [*own, *reversed(same)] if path.is_file()), None)
    if found is None:
        there = ", ".join(path.name for path in others) or "none"
        raise RequestError(
            f"{prefix} has no graph: looked for {own[0].name} and {own[1].name}; .meta files there: {there}; name one "
            "with meta=, or open an export"
        )
    return found


def _series_of(name: str) -> str:
    match = NUMBERED.fullmatch(name)
    return match["prefix"] if match else name


def read_meta(file: Path) -> Any:
    """Returns the MetaGraphDef of a ``.meta``; nothing of it is run.

    Raises:
        CheckpointError: it is damaged.
        RequestError: it cannot be opened.
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
