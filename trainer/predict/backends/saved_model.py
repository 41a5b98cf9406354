"""Predictor from a SavedModel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checks import check_choice, check_names
from trainer.errors import RequestError, describe
from trainer.files import local_path
from trainer.graphdef.flags import flag_defaults, give_defaults
from trainer.graphdef.op_types import VARIABLE_OPS
from trainer.graphdef.output_names import Names, likely_outputs, named_tensors, op_types_of
from trainer.graphdef.safety import check_declared_sizes, refuse_forbidden
from trainer.graphdef.subgraph import graph_def_of
from trainer.graphdef.traverse import model_placeholders, node_of, reads_of, tensor_of, upstream
from trainer.predict.backends.session import predictor_session, session_predictor, tensor_info
from trainer.predict.backends.subgraph import import_part
from trainer.predict.predictor import Predictor
from trainer.predict.saved_models import (
    VARIABLES,
    assets_of,
    chosen_signature,
    forbidden_in,
    init_op_of,
    is_own_export,
    meta_graph_of,
    read_saved_model,
    signatures_in,
)
from trainer.predict.tensor_info import TensorInfo

v1 = tf.compat.v1

Infos = Mapping[str, TensorInfo]


def open_saved_model(
    path: str | Path,
    tags: Sequence[str] | None = None,
    signature: str | None = None,
    outputs: Sequence[str] | None = None,
    trust: bool = False,
) -> Predictor:
    """Opens one signature of a SavedModel; only what it needs is imported and run.

    Args:
        path: Directory with ``saved_model.pb``.
        tags: All tags of the meta graph; None for ``serve``, or the only graph.
        signature: Name of the signature; None for ``serving_default``, or the only one.
        outputs: Names of outputs in the signature, or of nodes in a model without signatures; None for all.
        trust: Whether the model may do more than compute, such as write files.

    Raises:
        RequestError: There is no SavedModel, it lacks the tags or the signature, or does more than compute; the
            message lists what there is.
        ValueError: An output is not in the signature; the message has close names.

    Example:
        >>> open_saved_model("nowhere")
        Traceback (most recent call last):
        trainer.errors.RequestError: nowhere has no saved_model.pb
    """
    path = local_path(path)
    message = read_saved_model(path)
    meta_graph = meta_graph_of(message, tags, path)
    inputs, wanted = _chosen(meta_graph, signature, outputs, path)
    if not (trust or is_own_export(path)):
        refuse_forbidden(str(path), forbidden_in(message))
    check_declared_sizes(str(path), meta_graph.graph_def)
    with predictor_session() as session:
        _load(session, meta_graph, [*inputs.values(), *wanted.values()], path)
        graph = session.graph
        fed = {name: _as_in(graph, info) for name, info in inputs.items()}
        fetched = {name: _as_in(graph, info) for name, info in wanted.items()}
    return session_predictor(str(path), session, fed, fetched)


def _chosen(meta_graph: Any, signature: str | None, outputs: Names | None, path: Path) -> tuple[Infos, Infos]:
    """Returns the inputs and outputs of a signature, or those of named nodes in a model without signatures."""
    signatures = signatures_in(meta_graph)
    if signatures or signature is not None:
        inputs, given = signatures[chosen_signature(signatures, signature, path)]
        if outputs is None:
            return inputs, given
        names = [name.removesuffix(":0") for name in check_names("outputs", outputs)]
        return inputs, {name: given[check_choice("outputs", name, given)] for name in names}
    graph_def = meta_graph.graph_def
    if not outputs:
        likely = ", ".join(likely_outputs(graph_def))
        raise RequestError(f"{path} has no signature; name its outputs; likely: {likely}", argument="outputs")
    tensors = named_tensors("outputs", outputs, op_types_of(graph_def), lambda: likely_outputs(graph_def), str(path))
    needed = set(upstream(reads_of(graph_def), tensors.values()))
    nodes = [node for node in model_placeholders(graph_def.node) if node.name in needed]
    unknown = {node.name: TensorInfo(tensor_of(node.name), "", None) for node in nodes}
    return unknown, {name: TensorInfo(tensor, "", None) for name, tensor in tensors.items()}


def _load(session: Any, meta_graph: Any, infos: Sequence[TensorInfo], path: Path) -> None:
    """Imports what tensors of a model need into the default graph, restores its variables, and initialises it.

    Raises:
        RequestError: This TensorFlow cannot import or initialise it, or its variables are missing.
    """
    saver, init_op, assets = meta_graph.saver_def, init_op_of(meta_graph), assets_of(meta_graph, path)
    variables = path / VARIABLES
    has_values = Path(f"{variables}.index").is_file() or variables.is_file()
    ends = [info.tensor for info in infos] + list(assets) + ([init_op] if init_op else [])
    ends += [saver.restore_op_name, saver.filename_tensor_name] if has_values else []
    needed = set(upstream(reads_of(meta_graph.graph_def), ends))
    part = graph_def_of(meta_graph.graph_def, [node for node in meta_graph.graph_def.node if node.name in needed])
    missing = next((node.name for node in part.node if node.op in VARIABLE_OPS), None)
    if missing and not has_values:
        raise RequestError(f"{path} has the variable {missing!r} and no {VARIABLES}.index with its value")
    given = {node_of(info.tensor) for info in infos}
    flags = flag_defaults(meta_graph.graph_def)
    give_defaults(part, {name: value for name, value in flags.items() if name not in given})
    import_part(part, {}, str(path), meta_graph.meta_info_def.stripped_op_list)
    try:
        if has_values and saver.restore_op_name:
            session.run(node_of(saver.restore_op_name), {tensor_of(saver.filename_tensor_name): str(variables)})
        if init_op:
            session.run(init_op, assets)
    except (tf.errors.OpError, ValueError, KeyError) as error:
        raise RequestError(f"{path} cannot be loaded: {describe(error)}") from error


def _as_in(graph: Any, info: TensorInfo) -> TensorInfo:
    """Returns a tensor with the shape that it has in the graph, where the signature does not say it."""
    if info.shape is not None and info.dtype:
        return info
    try:
        tensor = graph.get_tensor_by_name(info.tensor)
    except (KeyError, ValueError) as error:
        raise RequestError(f"{info.tensor!r} is not a tensor of the model: {describe(error)}") from error
    return tensor_info(tensor, optional=tensor.op.type == "PlaceholderWithDefault")
