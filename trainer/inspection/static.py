"""Model as its file declares it, read without its weights and not run; no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trainer.checkpoints.meta_graph import require_meta
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import RequestError
from trainer.files import local_path
from trainer.graphdef.declared import declared_type
from trainer.graphdef.flags import flag_defaults
from trainer.graphdef.graph_file import read_graph, read_manifest
from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER, VARIABLE_OPS
from trainer.graphdef.output_names import Names, final_outputs, likely_outputs, named_tensors, op_types_of
from trainer.graphdef.subgraph import Subgraph, extract_subgraph
from trainer.graphdef.traverse import model_placeholders, tensor_of
from trainer.predict.formats import detect_format
from trainer.predict.saved_models import (
    SERVING,
    chosen_signature,
    meta_graph_of,
    read_saved_model,
    signatures_in,
    tag_sets,
)
from trainer.predict.tensor_info import TensorInfo

Infos = Mapping[str, TensorInfo]

OTHER_RUNTIMES = (".tflite", ".onnx")
"""Suffixes of models for other runtimes, which have no GraphDef."""


@dataclass(frozen=True)
class StaticModel:
    """Model that has been read and not run.

    Args:
        path: Path of the file or directory.
        format: Format of the model: ``frozen``, ``graph`` (a GraphDef with variables), ``meta`` or ``saved_model``.
        graph_def: Whole graph.
        part: Inference part; None if its outputs are not known.
        known: Types of inputs and outputs that a signature or a manifest declares, by tensor.
        likely: Names of nodes that may be the outputs, the likeliest first, where the file does not declare them.
        tag_sets: Tags of each graph in a SavedModel.
        signatures: Inputs and outputs of each signature of a SavedModel, by the signature's name.
    """

    path: Path
    format: str
    graph_def: Any
    part: Subgraph | None
    known: Mapping[str, TensorInfo] = field(default_factory=dict)
    likely: Sequence[str] = ()
    tag_sets: Sequence[tuple[str, ...]] = ()
    signatures: Mapping[str, tuple[Infos, Infos]] | None = None

    @property
    def inputs(self) -> dict[str, TensorInfo]:
        """Inputs of the inference part by name; all placeholders of the graph if its outputs are not known."""
        nodes = model_placeholders(self.graph_def.node) if self.part is None else self.part.placeholders.values()
        flags = flag_defaults(self.graph_def)
        return {
            node.name: self._info(tensor_of(node.name), node.op == OPTIONAL_PLACEHOLDER or node.name in flags)
            for node in nodes
        }

    @property
    def outputs(self) -> dict[str, TensorInfo]:
        """Outputs of the inference part by name."""
        return {} if self.part is None else {name: self._info(tensor) for name, tensor in self.part.outputs.items()}

    def _info(self, tensor: str, optional: bool = False) -> TensorInfo:
        if tensor in self.known:
            return replace(self.known[tensor], optional=optional)
        return TensorInfo(tensor, *declared_type(self._nodes, tensor, self.graph_def.versions.producer), optional)

    @cached_property
    def _nodes(self) -> dict[str, Any]:
        return {node.name: node for node in self.graph_def.node}


def read_model(
    path: str | Path, outputs: Names | None = None, tags: Sequence[str] | None = None, signature: str | None = None
) -> StaticModel:
    """Reads the graph of a ``.pb``, a ``.pbtxt``, a ``.meta``, a checkpoint, a run or a SavedModel.

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
        return _graph(path, outputs)
    # The graph can be shown whatever became of the values.
    file = (
        path
        if kind == "meta"
        else require_meta(
            resolve_checkpoint(path, allow_damaged=True), "name a .meta; checkpoints show lists its variables"
        )
    )
    meta_graph = read_meta(file)
    inputs, given = signatures_in(meta_graph).get(SERVING, ({}, {}))
    declared = {name: info.tensor for name, info in given.items()} if outputs is None else outputs
    known = {info.tensor: info for info in (*inputs.values(), *given.values())}
    return _model(file, "meta", meta_graph.graph_def, declared, known)


def _graph(path: Path, outputs: Names | None) -> StaticModel:
    if path.suffix in OTHER_RUNTIMES:
        raise RequestError(f"{path} is a model for another runtime; it has no graph of TensorFlow")
    graph_def = read_graph(path)
    manifest = read_manifest(path)
    variables = any(node.op in VARIABLE_OPS for node in graph_def.node)
    if outputs is None:
        outputs = [] if variables else final_outputs(graph_def) if manifest is None else list(manifest["outputs"])
    known = {
        each["tensor"]: TensorInfo(
            each["tensor"], each["dtype"], None if each["shape"] is None else tuple(each["shape"])
        )
        for kind in ("inputs", "outputs")
        for each in (manifest or {}).get(kind, {}).values()
    }
    return _model(path, "graph" if variables else "frozen", graph_def, outputs, known)


def _model(path: Path, kind: str, graph_def: Any, outputs: Names, known: Mapping[str, TensorInfo]) -> StaticModel:
    if not outputs:
        return StaticModel(path, kind, graph_def, None, known, likely_outputs(graph_def))
    return StaticModel(path, kind, graph_def, _part(graph_def, outputs, path), known)


def _part(graph_def: Any, outputs: Names, path: Path) -> Subgraph:
    types = op_types_of(graph_def)
    return extract_subgraph(
        graph_def, named_tensors("outputs", outputs, types, lambda: likely_outputs(graph_def), str(path))
    )


def _saved_model(path: Path, outputs: Names | None, tags: Sequence[str] | None, signature: str | None) -> StaticModel:
    message = read_saved_model(path)
    meta_graph = meta_graph_of(message, tags, path)
    graph_def, signatures = meta_graph.graph_def, signatures_in(meta_graph)
    undecided = signature is None and SERVING not in signatures and len(signatures) != 1
    known: dict[str, TensorInfo] = {}
    if outputs is None and not undecided:
        inputs, given = signatures[chosen_signature(signatures, signature, path)]
        outputs = {name: info.tensor for name, info in given.items()}
        known = {info.tensor: info for info in (*inputs.values(), *given.values()) if info.shape is not None}
    part = _part(graph_def, outputs, path) if outputs else None
    likely = () if signatures else likely_outputs(graph_def)
    return StaticModel(path, "saved_model", graph_def, part, known, likely, tag_sets(message), signatures)
