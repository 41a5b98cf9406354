"""Predictor from a SavedModel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from trainer.checks import check_choice, check_names
from trainer.errors import DamagedError, RequestError, describe
from trainer.files import local_path
from trainer.graphdef.signatures import SERVING
from trainer.predict.backends.session import predictor_session, session_predictor
from trainer.predict.formats import saved_model_file
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo

v1 = tf.compat.v1

INIT = "__saved_model_init_op"
"""Signature that TensorFlow adds for initialisation; it is not a prediction."""


def open_saved_model(
    path: str | Path,
    tags: Sequence[str] = ("serve",),
    signature: str | None = None,
    outputs: Sequence[str] | None = None,
) -> Predictor:
    """Opens one signature of a SavedModel; loading runs ops of the model: open only trusted files.

    Args:
        path: Directory with ``saved_model.pb``.
        tags: All tags of the meta graph.
        signature: Name of the signature; None for ``serving_default``, or the only one.
        outputs: Names of outputs in the signature; None for all.

    Raises:
        RequestError: There is no SavedModel, or it lacks the tags or the signature; the message lists its own.
        ValueError: An output is not in the signature; the message has close names.

    Example:
        >>> open_saved_model("nowhere")
        Traceback (most recent call last):
        trainer.errors.RequestError: nowhere has no saved_model.pb
    """
    path = local_path(path)
    meta_graph = meta_graph_of(read_saved_model(path), tags, path)
    name = chosen_signature(meta_graph.signature_def, signature, path)
    inputs = _infos(meta_graph.signature_def[name].inputs, f"{path} signature {name}")
    given = _infos(meta_graph.signature_def[name].outputs, f"{path} signature {name}")
    wanted = given if outputs is None else {check_choice("outputs", n, given): given[n] for n in _plain(outputs)}
    with predictor_session() as session:
        try:
            v1.saved_model.load(session, list(tags), str(path))
        except (tf.errors.OpError, ValueError, OSError) as error:
            raise RequestError(f"{path} cannot be loaded: {describe(error)}") from error
    return session_predictor(str(path), session, inputs, wanted)


def read_saved_model(path: Path) -> Any:
    """Returns the SavedModel message of a directory without running the model.

    Raises:
        RequestError: There is no SavedModel, or it has no graph.
        DamagedError: The file cannot be read.
    """
    file = saved_model_file(path)
    if file is None:
        raise RequestError(f"{path} has no saved_model.pb")
    try:
        if file.suffix == ".pbtxt":
            return text_format.Parse(file.read_bytes(), saved_model_pb2.SavedModel())
        message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except (OSError, DecodeError, text_format.ParseError) as error:
        raise DamagedError(f"{file} is not a SavedModel, or is truncated ({error})") from error
    if not message.meta_graphs:
        raise RequestError(f"{file} has no graph")
    return message


def meta_graph_of(saved_model: Any, tags: Sequence[str], path: Path) -> Any:
    """Returns the meta graph that has exactly these tags.

    Raises:
        TypeError: ``tags`` is a single string.
        RequestError: No meta graph has the tags; the message lists those that exist.
    """
    wanted = set(check_names("tags", tags))
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == wanted:
            return meta_graph
    there = "; ".join(", ".join(meta_graph.meta_info_def.tags) for meta_graph in saved_model.meta_graphs)
    raise RequestError(f"tags: {path} has no graph tagged {', '.join(tags)}; there are: {there}", argument="tags")


def chosen_signature(signatures: Mapping[str, Any], name: str | None, path: Path) -> str:
    """Returns the given name of a signature; for None the default signature or the only one.

    Raises:
        RequestError: There is no such signature; the message lists those that exist.
    """
    names = sorted(set(signatures) - {INIT})
    if name is None and SERVING not in names and len(names) == 1:
        return names[0]
    wanted = SERVING if name is None else name
    if wanted not in names:
        raise RequestError(
            f"signature: {path} has no {wanted!r}; there are: {', '.join(names) or 'none'}", argument="signature"
        )
    return wanted


def _plain(outputs: Sequence[str]) -> list[str]:
    return [name.removesuffix(":0") for name in check_names("outputs", outputs)]


def _infos(infos: Mapping[str, Any], what: str) -> dict[str, TensorInfo]:
    return {name: signature_info(infos[name], f"{what}: {name}") for name in sorted(infos)}


def signature_info(info: Any, what: str) -> TensorInfo:
    """Returns the TensorInfo of a tensor in a signature.

    Raises:
        RequestError: The tensor is sparse or a composite.
    """
    if info.WhichOneof("encoding") not in ("name", None):
        raise RequestError(f"{what} is not a dense tensor; only dense tensors can be arrays")
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if dim.size == -1 else int(dim.size) for dim in info.tensor_shape.dim)
    return TensorInfo(info.name, tf.dtypes.as_dtype(info.dtype).name, shape)
