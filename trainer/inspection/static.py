"""Model as its file declares it, read without its weights and not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.meta_graph import require_meta
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.files import local_path
from trainer.graphdef.frozen_file import read_frozen
from trainer.graphdef.output_names import Names
from trainer.graphdef.signatures import signature_outputs
from trainer.predict.backends.frozen import manifest_outputs
from trainer.predict.backends.saved_model import (
    INIT,
    chosen_signature,
    meta_graph_of,
    read_saved_model,
    signature_info,
)
from trainer.predict.backends.subgraph import PredictionSubgraph, extract_prediction, import_prediction
from trainer.predict.formats import Format, detect_format
from trainer.predict.tensor_info import TensorInfo

Infos = Mapping[str, TensorInfo]


@dataclass(frozen=True)
class StaticModel:
    """Model that has been read and not run.

    Args:
        path: Path of the file or directory.
        format: Format of the model.
        graph_def: Whole graph.
        outputs: Outputs of the inference part, name to tensor; empty if not known.
        prediction: Inference part; None without outputs.
        tag_sets: Tags of each graph in a SavedModel.
        signatures: Inputs and outputs of each signature of a SavedModel, by the signature's name.
    """

    path: Path
    format: Format
    graph_def: Any
    outputs: Names
    prediction: PredictionSubgraph | None
    tag_sets: tuple[tuple[str, ...], ...] = ()
    signatures: Mapping[str, tuple[Infos, Infos]] | None = None

    def imported(self) -> tuple[Any, dict[str, TensorInfo], dict[str, TensorInfo]]:
        """Returns the inference part as a graph, and its inputs and outputs by name.

        Raises:
            RequestError: This version of TensorFlow cannot import the inference part.
        """
        with tf.Graph().as_default() as graph:
            if self.prediction is None:
                return graph, {}, {}
            return graph, *import_prediction(self.prediction, str(self.path))


def read_model(
    path: str | Path, outputs: Names | None = None, tags: Sequence[str] | None = None, signature: str | None = None
) -> StaticModel:
    """Reads the graph of a ``.pb``, a ``.meta``, a checkpoint, a run or a SavedModel.

    Args:
        path: Path as for ``open_predictor``, or a ``.meta`` alone.
        outputs: Outputs of the inference part; None for those that the file declares.
        tags: Tags of a SavedModel's meta graph; None for ``serve``, or the only graph.
        signature: Signature of a SavedModel; None for ``serving_default``, or the only one.

    Raises:
        RequestError: There is nothing to read, or an output, the tags or the signature does not exist.
        DamagedError: The file is not a graph.

    Example:
        >>> read_model("nowhere.pb")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: there is no file, directory or checkpoint nowhere.pb...
    """
    kind, path = detect_format(local_path(path))
    if kind == "saved_model":
        return _saved_model(path, outputs, tags, signature)
    if kind == "frozen":
        graph_def = read_frozen(path)
        return _model(path, kind, graph_def, manifest_outputs(path, graph_def) if outputs is None else outputs)
    file = path if kind == "meta" else require_meta(resolve_checkpoint(path), "name a .meta")
    meta_graph = read_meta(file)
    return _model(file, "meta", meta_graph.graph_def, signature_outputs(meta_graph) if outputs is None else outputs)


def _model(path: Path, kind: Format, graph_def: Any, outputs: Names) -> StaticModel:
    return StaticModel(
        path, kind, graph_def, outputs, extract_prediction(graph_def, outputs, None, str(path)) if outputs else None
    )


def _saved_model(path: Path, outputs: Names | None, tags: Sequence[str] | None, signature: str | None) -> StaticModel:
    message = read_saved_model(path)
    tag_sets = tuple(tuple(meta_graph.meta_info_def.tags) for meta_graph in message.meta_graphs)
    wanted = tags or (tag_sets[0] if len(tag_sets) == 1 else ("serve",))
    meta_graph = meta_graph_of(message, wanted, path)
    signatures = {
        name: (
            {key: signature_info(info, key) for key, info in sorted(each.inputs.items())},
            {key: signature_info(info, key) for key, info in sorted(each.outputs.items())},
        )
        for name, each in sorted(meta_graph.signature_def.items())
        if name != INIT
    }
    if outputs is None and (signatures or signature is not None):
        chosen = signatures[chosen_signature(meta_graph.signature_def, signature, path)]
        outputs = {name: info.tensor for name, info in chosen[1].items()}
    graph_def = meta_graph.graph_def
    prediction = extract_prediction(graph_def, outputs, None, str(path)) if outputs else None
    return StaticModel(path, "saved_model", graph_def, outputs or (), prediction, tag_sets, signatures)
