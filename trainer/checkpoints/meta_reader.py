"""Reader of the graph in the ``.meta`` of a checkpoint; nothing of it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from trainer.checkpoints.meta_graph import find_meta
from trainer.checkpoints.store import META
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.errors import CheckpointError
from trainer.graphdef.graph_file import check_named, parse, read_bytes
from trainer.graphdef.protos import MetaGraphDef, VariableDef

TRAINABLE_VARIABLES = "trainable_variables"
"""Key of the collection of trainable variables (``tf.compat.v1.GraphKeys``)."""


def read_graph_of(checkpoint: StoredCheckpoint) -> Any:
    """Returns the MetaGraphDef of a checkpoint, or None if there is no ``.meta`` with it.

    Raises:
        CheckpointError: The ``.meta`` is damaged; the message says if it belongs to another checkpoint.
        RequestError: The ``.meta`` cannot be opened.
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
        CheckpointError: The file is damaged.
        RequestError: The file cannot be opened.
    """
    meta = parse(file, read_bytes(file, CheckpointError), MetaGraphDef, CheckpointError)
    if not meta.graph_def.node:
        raise CheckpointError(f"{file} holds no node of a graph")
    check_named(file, meta.graph_def, CheckpointError)
    return meta


def trainable_names(meta: Any) -> set[str]:
    """Returns the names of a MetaGraphDef's trainable variables, as a checkpoint stores them.

    Raises:
        CheckpointError: The collection is damaged.
    """
    values = meta.collection_def[TRAINABLE_VARIABLES].bytes_list.value
    try:
        variables = [VariableDef.FromString(value) for value in values]
    except DecodeError as error:
        raise CheckpointError(f"the collection {TRAINABLE_VARIABLES} of the graph is damaged") from error
    # The parts of a partitioned variable are one tensor in the file.
    return {v.save_slice_info_def.full_name or v.variable_name.partition(":")[0] for v in variables}
