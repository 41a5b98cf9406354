"""SavedModels as their files describe them: graphs, tags, signatures, assets; no TensorFlow, and nothing is run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.checks import check_names, suggestion
from trainer.errors import DamagedError, RequestError
from trainer.graphdef.declared import dtype_name, signature_sizes
from trainer.graphdef.graph_file import check_named, parse, read_bytes
from trainer.graphdef.protos import SavedModel, meta_graph_pb2, struct_pb2
from trainer.graphdef.safety import Forbidden, forbidden_ops
from trainer.graphdef.traverse import node_of
from trainer.predict.formats import saved_model_file
from trainer.predict.tensor_info import TensorInfo
from trainer.runs.vouchers import MANIFEST, VOUCHED, digest_of_files, is_vouched

SERVING, SERVE = "serving_default", "serve"
"""Signature and tag of a model that is served."""

INIT = "__saved_model_init_op"
"""Signature that TensorFlow adds for initialisation; it is not a prediction."""

MAIN_OPS = ("saved_model_main_op", "legacy_init_op")
"""Collections with the op that initialises a model; older models have one of them."""

ASSETS = "saved_model_assets"
"""Collection with the assets of older models."""

VARIABLES = Path("variables", "variables")
"""Prefix of the files with the values of the variables."""

SPARSE = {"indices": "int64", "values": "", "dense_shape": "int64"}
"""Parts of a sparse tensor and their types; '' for that of the tensor."""


def read_saved_model(path: Path) -> Any:
    """Returns the SavedModel message of a directory without running the model.

    Raises:
        RequestError: There is no SavedModel, or it has no graph.
        DamagedError: The file cannot be read.
    """
    file = saved_model_file(path)
    if file is None:
        raise RequestError(f"{path} has no saved_model.pb")
    message = parse(file, read_bytes(file), SavedModel)
    if not message.meta_graphs:
        raise RequestError(f"{file} has no graph")
    for meta_graph in message.meta_graphs:
        check_named(file, meta_graph.graph_def)
    return message


def tag_sets(saved_model: Any) -> list[tuple[str, ...]]:
    """Returns the tags of each graph of a SavedModel."""
    return [tuple(meta_graph.meta_info_def.tags) for meta_graph in saved_model.meta_graphs]


def meta_graph_of(saved_model: Any, tags: Sequence[str] | None, path: Path) -> Any:
    """Returns the meta graph that has exactly these tags.

    Args:
        saved_model: SavedModel message.
        tags: All tags of the graph; None for ``serve``, or the only graph, or the only one with ``serve`` among others.
        path: Path of the model, for messages.

    Raises:
        TypeError: ``tags`` is a single string.
        RequestError: No meta graph has the tags; the message lists those that exist.
    """
    graphs, there = list(saved_model.meta_graphs), [set(each) for each in tag_sets(saved_model)]
    wanted = {SERVE} if tags is None else set(check_names("tags", tags))
    exact = [graph for graph, own in zip(graphs, there, strict=True) if own == wanted]
    if exact:
        return exact[0]
    served = [graph for graph, own in zip(graphs, there, strict=True) if own >= wanted]
    if tags is None and (len(graphs) == 1 or len(served) == 1):
        return graphs[0] if len(graphs) == 1 else served[0]
    shown = "; ".join(" ".join(sorted(own)) or "(none)" for own in there)
    raise RequestError(
        f"tags: {path} has no graph tagged {' '.join(sorted(wanted))}; there are: {shown}", argument="tags"
    )


def signatures_in(meta_graph: Any) -> dict[str, tuple[dict[str, TensorInfo], dict[str, TensorInfo]]]:
    """Returns inputs and outputs of each signature of a meta graph, by the signature's name."""
    return {
        name: (tensor_infos(each.inputs), tensor_infos(each.outputs))
        for name, each in sorted(meta_graph.signature_def.items())
        if name != INIT
    }


def chosen_signature(signatures: Mapping[str, Any], name: str | None, path: Path) -> str:
    """Returns the given name of a signature; for None the default signature or the only one.

    Raises:
        RequestError: There is no such signature; the message lists those that exist.
    """
    names = sorted(set(signatures) - {INIT})
    if name in names:
        return str(name)
    if name is None and SERVING in names:
        return SERVING
    if name is None and len(names) == 1:
        return names[0]
    if name is None and names:
        raise RequestError(
            f"signature: {path} has several signatures and no {SERVING!r}: {', '.join(names)}; choose one",
            argument="signature",
        )
    raise RequestError(
        f"signature: {path} has no {name or SERVING!r}; {suggestion(str(name), names)}", argument="signature"
    )


def tensor_infos(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
    """Returns the tensors of a signature by name; a sparse or composite one as its parts, ``name.values`` and so on."""
    return {key: info for name in sorted(infos) for key, info in _parts(name, infos[name])}


def _parts(name: str, info: Any) -> list[tuple[str, TensorInfo]]:
    encoding = info.WhichOneof("encoding")
    if encoding == "coo_sparse":
        return _sparse_parts(name, info)
    if encoding == "composite_tensor":
        names = _names_of_parts(info.composite_tensor)
        return [
            part
            for each, component in zip(names, info.composite_tensor.components, strict=True)
            for part in _parts(f"{name}.{each}", component)
        ]
    return [(name, TensorInfo(info.name, dtype_name(info.dtype), signature_sizes(info)))]


def _sparse_parts(name: str, info: Any) -> list[tuple[str, TensorInfo]]:
    sizes = signature_sizes(info)
    rank = None if sizes is None else len(sizes)
    shapes = {"indices": (None, rank), "values": (None,), "dense_shape": (rank,)}
    return [
        (
            f"{name}.{part}",
            TensorInfo(getattr(info.coo_sparse, f"{part}_tensor_name"), dtype or dtype_name(info.dtype), shapes[part]),
        )
        for part, dtype in SPARSE.items()
    ]


def _names_of_parts(composite: Any) -> list[str]:
    """Returns names for the components of a composite tensor, which the format only lists."""
    count = len(composite.components)
    if composite.type_spec.type_spec_class == struct_pb2.TypeSpecProto.RAGGED_TENSOR_SPEC:
        return ["values", *(f"row_splits_{i}" if count > 2 else "row_splits" for i in range(count - 1))]
    if composite.type_spec.type_spec_class == struct_pb2.TypeSpecProto.SPARSE_TENSOR_SPEC:
        return list(SPARSE)[:count]
    return [str(i) for i in range(count)]


def init_op_of(meta_graph: Any) -> str | None:
    """Returns the name of the op that initialises a model, or None if it has none."""
    if INIT in meta_graph.signature_def:
        return node_of(next(iter(meta_graph.signature_def[INIT].outputs.values())).name)
    for key in MAIN_OPS:
        if key in meta_graph.collection_def and meta_graph.collection_def[key].node_list.value:
            return node_of(meta_graph.collection_def[key].node_list.value[0])
    return None


def assets_of(meta_graph: Any, path: Path) -> dict[str, str]:
    """Returns the paths of a model's assets by the names of the tensors that take them.

    Args:
        meta_graph: MetaGraphDef.
        path: Directory of the SavedModel.

    Raises:
        DamagedError: An asset is missing, or lies outside the model.
    """
    found, folder = {}, path / "assets"
    for asset in _stored_assets(meta_graph):
        file = folder / asset.filename
        if not file.resolve().is_relative_to(path.resolve()):
            raise DamagedError(f"{path}: the asset {asset.filename!r} lies outside the model")
        if not file.is_file():
            raise DamagedError(f"{path}: the asset {file.relative_to(path)} is missing")
        found[asset.tensor_info.name] = str(file)
    return found


def _stored_assets(meta_graph: Any) -> list[Any]:
    stored = list(meta_graph.asset_file_def)
    if ASSETS in meta_graph.collection_def and not stored:
        for value in meta_graph.collection_def[ASSETS].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            value.Unpack(asset)
            stored.append(asset)
    return stored


def is_own_export(path: Path) -> bool:
    """Returns whether this user has exported a SavedModel, and its graph and assets are as they were.

    Args:
        path: Directory of the SavedModel.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return is_vouched(digest_of_files(path, VOUCHED), manifest["voucher"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def forbidden_in(saved_model: Any) -> list[Forbidden]:
    """Returns the ops of all graphs of a SavedModel that do more than compute.

    A Saver may be there to restore the variables of the model; the ops that fill tables from its assets too.
    """
    found = []
    for meta_graph in saved_model.meta_graphs:
        saver = meta_graph.saver_def
        own = {node_of(asset.tensor_info.name) for asset in _stored_assets(meta_graph)}
        own.add(node_of(saver.filename_tensor_name))
        run = [node_of(saver.restore_op_name), *filter(None, [init_op_of(meta_graph)])]
        for signature in meta_graph.signature_def.values():
            run += [node_of(info.tensor) for info in tensor_infos(signature.outputs).values()]
        found += forbidden_ops(meta_graph.graph_def, run, own)
    return found
