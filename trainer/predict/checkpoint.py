"""A checkpoint and the graph beside it as a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from trainer.artifacts.saved_model import SIGNATURE
from trainer.errors import DamagedError, RequestError, describe
from trainer.graph.inference import OUTPUTS
from trainer.predict.engine import own_session, session_predictor
from trainer.predict.found import find_checkpoint, find_meta
from trainer.predict.part import Names, import_part, likely_outputs, part_of
from trainer.predict.predictor import Predictor
from trainer.predict.restoring import restore, stored_names

v1 = tf.compat.v1


def open_checkpoint(
    path: str | Path,
    outputs: Names | None = None,
    inputs: Names | None = None,
    meta: str | Path | None = None,
) -> Predictor:
    """Opens a checkpoint with the graph of its ``.meta``, whoever wrote it; no model code is needed.

    Only the ops that the outputs need are imported, and only their variables are read. The inputs
    are the placeholders among those ops; one with a default may be left out.

    Args:
        path: a run directory, a checkpoint directory (its newest good checkpoint is taken) or a prefix.
        outputs: nodes to compute, ``op`` or ``op:0``, or names of one's own to nodes; None for those
            that the graph records: its signature, or the collection ``outputs``.
        inputs: tensors to feed besides the placeholders, such as what an input pipeline gives.
        meta: of the graph; None for the one beside the checkpoint.

    Raises:
        RequestError: there is no checkpoint or no graph, or it has no such node.
        CheckpointError: the checkpoint is damaged.

    Example:
        >>> open_checkpoint("nowhere/model-3")
        Traceback (most recent call last):
        trainer.errors.RequestError: there is no checkpoint nowhere/model-3: model-3.index is not in nowhere
    """
    prefix = find_checkpoint(Path(path))
    file = find_meta(prefix) if meta is None else Path(meta)
    meta_graph = read_meta(file)
    wanted = recorded_outputs(meta_graph) if outputs is None else outputs
    if not wanted:
        likely = ", ".join(likely_outputs(meta_graph.graph_def))
        raise RequestError(f"{file} does not say what its outputs are; name them with outputs=[...]; likely: {likely}")
    part = part_of(meta_graph.graph_def, wanted, inputs, str(file))
    with own_session() as session:
        infos = import_part(part, str(file))
        try:
            restore(session, part.variables, stored_names(meta_graph), prefix)
            session.run(list(part.tables))
        except tf.errors.OpError as error:
            raise RequestError(f"{prefix} cannot be restored: {describe(error)}") from error
    return session_predictor(str(prefix), session, *infos)


def read_meta(file: Path) -> Any:
    """Returns the MetaGraphDef of a ``.meta``.

    Raises:
        RequestError: it is missing, or no graph.
    """
    try:
        meta_graph = v1.MetaGraphDef.FromString(file.read_bytes())
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise DamagedError(f"{file} is no graph, or only a part of one ({error})") from error
    if not meta_graph.graph_def.node:
        raise RequestError(f"{file} holds no node")
    return meta_graph


def recorded_outputs(meta_graph: Any) -> dict[str, str] | Sequence[str]:
    """Returns what a graph itself says it computes: by its signature, else by its collection; [] if it does not."""
    signature = meta_graph.signature_def.get(SIGNATURE) if SIGNATURE in meta_graph.signature_def else None
    if signature is not None:
        return {name: info.name for name, info in signature.outputs.items()}
    return list(meta_graph.collection_def[OUTPUTS].node_list.value) if OUTPUTS in meta_graph.collection_def else []
