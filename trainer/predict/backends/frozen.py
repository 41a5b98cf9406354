"""A frozen ``.pb`` as a predictor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.errors import RequestError
from trainer.graphdef.frozen_file import read_frozen
from trainer.graphdef.output_names import Names, final_outputs
from trainer.predict.backends.session import predictor_session, session_predictor
from trainer.predict.backends.subgraph import extract_prediction, import_prediction
from trainer.predict.predictor import Predictor


def open_frozen(path: str | Path, outputs: Names | None = None, inputs: Names | None = None) -> Predictor:
    """Opens a one-file graph, compared with its manifest where one stands beside it.

    Args:
        path: of the ``.pb``.
        outputs: nodes to compute, ``op`` or ``op:0``, or names of one's own to nodes; None for those
            of the manifest, else for all that no other node reads.
        inputs: tensors to feed besides the placeholders that the outputs need.

    Raises:
        RequestError: it is missing, damaged, no graph or not frozen, or has no such node.

    Example:
        >>> open_frozen("no.pb")
        Traceback (most recent call last):
        trainer.errors.RequestError: no.pb cannot be read: No such file or directory
    """
    path = Path(path)
    graph_def = read_frozen(path)
    wanted = manifest_outputs(path, graph_def) if outputs is None else outputs
    prediction = extract_prediction(graph_def, wanted, inputs, str(path))
    if prediction.part.variables:
        raise RequestError(
            f"{path} is not frozen: it has the variable {min(prediction.part.variables)!r} and not its value; freeze "
            "it, or open the checkpoint that belongs to it"
        )
    with predictor_session() as session:
        infos = import_prediction(prediction, str(path))
        session.run(list(prediction.part.tables))
    return session_predictor(str(path), session, *infos)


def manifest_outputs(path: Path, graph_def: Any) -> list[str]:
    """Returns the outputs that the manifest has, else the nodes that no other node reads."""
    manifest = path.with_suffix(".json")
    if manifest.is_file():
        try:
            return list(json.loads(manifest.read_text(encoding="utf-8"))["outputs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RequestError(f"{manifest} is no manifest ({error}); remove it to do without") from error
    found = final_outputs(graph_def)
    if not found:
        raise RequestError(f"{path} has no node that computes something")
    return found
