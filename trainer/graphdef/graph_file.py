"""Reader of files that hold a GraphDef: frozen ``.pb`` files, training graphs, and text; no TensorFlow."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from trainer.errors import DamagedError, RequestError
from trainer.graphdef.protos import GraphDef, MetaGraphDef, SavedModel
from trainer.runs.vouchers import is_vouched

LFS = b"version https://git-lfs.github.com/spec/"
"""Beginning of the file that Git leaves in the place of a large one (git-lfs, docs/spec.md)."""

TFLITE = slice(4, 8), b"TFL3"
"""Place and value of the identifier of a TensorFlow Lite file (tensorflow/compiler/mlir/lite/schema/schema.fbs)."""


def read_graph(file: Path) -> Any:
    """Returns the GraphDef of a file, compared with its manifest if it has one.

    The format has no checksum: a flipped byte can give wrong numbers, or end the process when the
    graph is loaded, and an empty file is a valid graph of no nodes.

    Args:
        file: Path of a ``.pb`` or of a ``.pbtxt``; its manifest has the suffix ``.json``.

    Raises:
        RequestError: The file is missing, has no node, or holds something else; the message says what.
        DamagedError: The file is empty, not a graph, or differs from its manifest.
    """
    data = read_bytes(file)
    manifest = read_manifest(file)
    if manifest is not None:
        _compare_with_manifest(file, data, manifest)
    graph_def = parse(file, data, GraphDef)
    if not graph_def.node:
        raise RequestError(f"{file} holds no node{_what_it_is(data)}")
    check_named(file, graph_def)
    return graph_def


def check_named(file: Path, graph_def: Any, error_type: Callable[[str], Exception] = DamagedError) -> None:
    """Refuses a graph with a node that has no name.

    Args:
        file: Path, for messages.
        graph_def: GraphDef.
        error_type: Error to raise for a file that is damaged.

    Raises:
        Exception: A node has no name; of the type ``error_type``.
    """
    for i, node in enumerate(graph_def.node):
        if not node.name or not node.op:
            raise error_type(f"{file} is damaged: the node {node.name or i} has no {'op' if node.name else 'name'}")


def read_bytes(file: Path, error_type: Callable[[str], Exception] = DamagedError) -> bytes:
    """Returns the content of a file of a model.

    Args:
        file: Path of the file.
        error_type: Error to raise for a file that is damaged.

    Raises:
        RequestError: The file cannot be read.
        Exception: The file is empty, or stands for one that Git has not fetched; of the type ``error_type``.
    """
    try:
        data = file.read_bytes()
    except (OSError, MemoryError) as error:
        raise RequestError(f"{file} cannot be read: {getattr(error, 'strerror', 'out of memory')}") from error
    if not data:
        raise error_type(f"{file} is empty")
    if data.startswith(LFS):
        raise error_type(f"{file} is a Git LFS pointer, not the file itself; fetch it with: git lfs pull")
    return data


def parse(file: Path, data: bytes, message_type: Any, error_type: Callable[[str], Exception] = DamagedError) -> Any:
    """Returns a message of TensorFlow's formats from its bytes, or from text where it can be that.

    Args:
        file: Path, for messages.
        data: Content of the file.
        message_type: Class of the message.
        error_type: Error to raise for a file that is damaged.

    Raises:
        Exception: The bytes are not such a message; of the type ``error_type``.
    """
    what = message_type.DESCRIPTOR.name
    try:
        if is_text(data, message_type):
            return text_format.Parse(data.decode(), message_type())
        return message_type.FromString(data)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise error_type(f"{file} is not a {what}, or is damaged ({reason}){_what_it_is(data)}") from error


def is_text(data: bytes, message_type: Any) -> bool:
    r"""Returns whether a message is given as text: whether it begins with the name of one of its fields.

    Example:
        >>> is_text(b'# a net\nnode {\n  name: "x"\n}', GraphDef), is_text(b"\n\x04node", GraphDef)
        (True, False)
    """
    names = "|".join(field.name for field in message_type.DESCRIPTOR.fields)
    return re.match(rb"\s*(#[^\n]*\n\s*)*(%s)\s*[:{]" % names.encode(), data) is not None


def _what_it_is(data: bytes) -> str:
    """Returns what bytes are that are no GraphDef, for a message; '' if that is not known."""
    if data[TFLITE[0]] == TFLITE[1]:
        return "; it is a TensorFlow Lite model: name it .tflite"
    for message_type, field, what in (
        (SavedModel, "meta_graphs", "a SavedModel: name its directory, and the file saved_model.pb"),
        (MetaGraphDef, "graph_def", "the graph of a checkpoint: name it .meta"),
    ):
        try:
            message = message_type.FromString(data)
        except DecodeError:
            continue
        if field in {descriptor.name for descriptor, _ in message.ListFields()}:
            return f"; it is {what}"
    return ""


def read_manifest(file: Path) -> dict[str, Any] | None:
    """Returns the manifest of a frozen graph, or None if it has none.

    A ``.json`` beside it that something else wrote (Keras, a collection of models) is not a manifest: a manifest
    has the size and the SHA-256 of its file.

    Args:
        file: Path of the ``.pb``.

    Raises:
        RequestError: The manifest cannot be read.
    """
    path = file.with_suffix(".json")
    if path == file or not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
        if '"sha256"' not in text:
            return None
        manifest = json.loads(text)
        if "sha256" not in manifest or not isinstance(manifest, dict):
            return None
        size, sha256, outputs = manifest["size"], manifest["sha256"], manifest["outputs"]
        if not (isinstance(size, int) and isinstance(sha256, str) and isinstance(outputs, dict)):
            raise TypeError("size, sha256 and outputs are not what a manifest has")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestError(f"{path} is not a manifest ({error}); remove it to open the .pb without one") from error
    return manifest


def is_vouched_for(file: Path) -> bool:
    """Returns whether this user has exported a frozen graph; ``read_graph`` has compared it with its manifest."""
    manifest = read_manifest(file)
    return manifest is not None and is_vouched(manifest["sha256"], manifest.get("voucher"))


def _compare_with_manifest(file: Path, data: bytes, manifest: dict[str, Any]) -> None:
    if len(data) != manifest["size"]:
        raise DamagedError(f"{file} has {len(data):,} bytes; its manifest says {manifest['size']:,}: it is damaged")
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise DamagedError(f"{file} differs from its manifest (SHA-256): it is damaged")
