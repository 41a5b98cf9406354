"""A model as its file declares it: read, not run, and without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.meta_graph import require_meta
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.resolve import resolve_checkpoint
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
    """A model that nothing has been run of.

    Args:
        path: of the file or directory that was read.
        format: its format.
        graph_def: the whole graph.
        outputs: of the inference part, name to tensor; empty where nothing says what they are.
        prediction: the inference part; None without outputs.
        tag_sets: of a SavedModel: those of each graph in it.
        signatures: of a SavedModel: inputs and outputs by the signature's name.
    """

    path: Path
    format: Format
    graph_def: Any
    outputs: Names
    prediction: PredictionSubgraph | None
    tag_sets: tuple[tuple[str, ...], ...] = ()
    signatures: Mapping[str, tuple[Infos, Infos]] | None = None

    def imported(self) -> tuple[Any, dict[str, TensorInfo], dict[str, TensorInfo]]:
        """Returns the inference part as a graph, and its inputs and outputs.

        Raises:
            RequestError: this TensorFlow cannot import it.
        """
        with tf.Graph().as_default() as graph:
            if self.prediction is None:
                return graph, {}, {}
            return graph, *import_prediction(self.prediction, str(self.path))


def read_model(
    path: str | Path, outputs: Names | None = None, tags: Sequence[str] | None = None, signature: str | None = None
) -> StaticModel:
    """Reads what is at a path: a ``.pb``, a ``.meta``, a checkpoint, a run or a SavedModel.

    Args:
        path: as for ``open_predictor``, or a ``.meta`` alone.
        outputs: what the inference part ends in; None for what the file records.
        tags: of a SavedModel; None for ``serve``, or the only graph.
        signature: of a SavedModel.

    Raises:
        RequestError: there is nothing to read, or it has no such outputs, tags or signature.
        DamagedError: it is no graph.

    Example:
        >>> read_model("nowhere.pb")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: there is no file, directory or checkpoint nowhere.pb...
    """
    kind, path = detect_format(Path(path))
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
