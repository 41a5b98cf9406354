"""Predictor from a checkpoint and the graph of its ``.meta``."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from trainer.checkpoints.meta_graph import require_meta
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.restoring.averages import stored_averages
from trainer.checkpoints.saver_in_meta import restored_tables
from trainer.checkpoints.vocabularies import check_vocabularies, vocabulary_paths
from trainer.errors import RequestError, describe
from trainer.files import local_path
from trainer.graphdef.averages import average_names
from trainer.graphdef.op_types import TABLE_OP
from trainer.graphdef.output_names import Names, likely_outputs
from trainer.graphdef.safety import check_declared_sizes, forbidden_ops, refuse_forbidden
from trainer.graphdef.signatures import signature_outputs
from trainer.predict.backends.restore import restore, restore_tables, stored_names
from trainer.predict.backends.session import predictor_session, session_predictor
from trainer.predict.backends.subgraph import extract_prediction, import_prediction
from trainer.predict.predictor import Predictor

v1 = tf.compat.v1


def open_checkpoint(
    path: str | Path,
    outputs: Names | None = None,
    inputs: Names | None = None,
    meta: str | Path | None = None,
    weights: str | None = None,
    trust: bool = False,
) -> Predictor:
    """Opens a checkpoint with the graph of its ``.meta``; external checkpoints too, without model code.

    Only the ops that the outputs need are imported, and only their variables are read. The inputs
    are the placeholders among those ops; a placeholder with a default may be omitted.

    Args:
        path: Reference to the checkpoint, as for ``trainer.checkpoints.find``.
        outputs: Nodes to compute, ``op`` or ``op:0``, or a mapping from new names to nodes; None for
            those in the signature of the graph.
        inputs: Tensors to feed besides the placeholders, such as the outputs of an input pipeline.
        meta: Path of the ``.meta``; None for the one that ``trainer.checkpoints.meta_graph.find_meta`` finds.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.
        trust: Whether the graph may do more than compute, such as write files.

    Raises:
        RequestError: There is no checkpoint or no graph, the graph lacks a node, or does more than compute.
        CheckpointError: The checkpoint is damaged.

    Example:
        >>> open_checkpoint("nowhere/model-3")
        Traceback (most recent call last):
        trainer.errors.RequestError: there is no directory nowhere
    """
    checkpoint = resolve_checkpoint(path)
    prefix = checkpoint.prefix
    file = require_meta(checkpoint, "name one with meta=, or open an export") if meta is None else local_path(meta)
    meta_graph = read_meta(file)
    wanted = signature_outputs(meta_graph) if outputs is None else outputs
    if not wanted:
        likely = ", ".join(likely_outputs(meta_graph.graph_def))
        raise RequestError(
            f"{file} does not declare its outputs; name them with outputs=[...]; likely: {likely}",
            argument="outputs",
        )
    prediction = extract_prediction(meta_graph.graph_def, wanted, inputs, str(file))
    check_declared_sizes(str(file), prediction.part.graph_def)
    if not trust:
        own_files = vocabulary_paths(checkpoint, prediction.part.graph_def)
        refuse_forbidden(str(file), forbidden_ops(prediction.part.graph_def, own_files=own_files))
    with predictor_session() as session:
        infos = import_prediction(prediction, str(file))
        try:
            averages = stored_averages(prefix, average_names(meta_graph), weights)
            stored = dict(stored_names(meta_graph))
            stored |= {name: (each.average, each.slice_spec) for name, each in averages.items()}
            restore(session, prediction.part.variables, stored, prefix)
            tables = {node.name: node for node in prediction.part.graph_def.node if TABLE_OP.search(node.op)}
            if tables:
                check_vocabularies(checkpoint, tables)
                restore_tables(session, tables, restored_tables(meta_graph), prefix)
                session.run(list(prediction.part.tables))
        except tf.errors.OpError as error:
            raise RequestError(f"{prefix} cannot be restored: {describe(error)}") from error
    return session_predictor(str(prefix), session, *infos)
