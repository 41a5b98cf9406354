"""Predictor from a frozen ``.pb``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer.errors import RequestError
from trainer.files import local_path
from trainer.graphdef.graph_file import is_vouched_for, read_graph, read_manifest
from trainer.graphdef.output_names import Names, final_outputs
from trainer.graphdef.safety import check_declared_sizes, forbidden_ops, refuse_forbidden
from trainer.predict.backends.session import predictor_session, session_predictor
from trainer.predict.backends.subgraph import extract_prediction, import_prediction
from trainer.predict.predictor import Predictor


def open_frozen(
    path: str | Path, outputs: Names | None = None, inputs: Names | None = None, trust: bool = False
) -> Predictor:
    """Opens a frozen graph, compared with the manifest beside it if there is one.

    Args:
        path: Path of the ``.pb``.
        outputs: Nodes to compute, ``op`` or ``op:0``, or a mapping from new names to nodes; None for
            those of the manifest, or for all nodes that no other node reads.
        inputs: Tensors to feed besides the placeholders that the outputs need.
        trust: Whether the graph may do more than compute, such as write files.

    Raises:
        RequestError: The file is missing, damaged or not a frozen graph, lacks a node, or does more than compute.

    Example:
        >>> open_frozen("no.pb")
        Traceback (most recent call last):
        trainer.errors.RequestError: no.pb cannot be read: No such file or directory
    """
    path = local_path(path)
    graph_def = read_graph(path)
    wanted = manifest_outputs(path, graph_def) if outputs is None else outputs
    check_declared_sizes(str(path), graph_def)
    prediction = extract_prediction(graph_def, wanted, inputs, str(path))
    if not (trust or is_vouched_for(path)):
        refuse_forbidden(
            str(path), forbidden_ops(graph_def, [*prediction.part.outputs.values(), *prediction.part.tables])
        )
    if prediction.part.variables:
        raise RequestError(
            f"{path} is not frozen: it has the variable {min(prediction.part.variables)!r} without its value; freeze "
            "it, or open its checkpoint"
        )
    with predictor_session() as session:
        infos = import_prediction(prediction, str(path))
        session.run(list(prediction.part.tables))
    return session_predictor(str(path), session, *infos)


def manifest_outputs(path: Path, graph_def: Any) -> list[str]:
    """Returns the outputs of the manifest, or without one the nodes that no other node reads."""
    manifest = read_manifest(path)
    if manifest is not None:
        return list(manifest["outputs"])
    found = final_outputs(graph_def)
    if not found:
        raise RequestError(f"{path} has no node that computes an output")
    return found
