"""Reader of frozen ``.pb`` files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from trainer.errors import DamagedError, RequestError

v1 = tf.compat.v1


def read_frozen(file: Path) -> Any:
    """Returns the GraphDef of a ``.pb``, compared with its manifest if it has one.

    The format has no checksum: a flipped byte can give wrong numbers, or end the process when the
    graph is loaded, and an empty file is a valid graph of no nodes.

    Args:
        file: Path of the ``.pb``; its manifest has the suffix ``.json``.

    Raises:
        RequestError: The file is missing, has no node, or its manifest cannot be read.
        DamagedError: The file is empty, not a graph, or differs from its manifest.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from error
    manifest_file = file.with_suffix(".json")
    if manifest_file != file and manifest_file.is_file():
        _compare_with_manifest(file, data, manifest_file)
    if not data:
        raise DamagedError(f"{file} is empty")
    try:
        graph_def = v1.GraphDef.FromString(data)
    except DecodeError as error:
        raise DamagedError(f"{file} is not a frozen graph, or is truncated ({error})") from error
    if not graph_def.node:
        raise RequestError(f"{file} holds no node")
    return graph_def


def _compare_with_manifest(file: Path, data: bytes, manifest_file: Path) -> None:
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
        size, sha256 = manifest["size"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{manifest_file} is not a manifest ({error}); remove it to open the .pb without one"
        ) from error
    if len(data) != size:
        raise DamagedError(f"{file} has {len(data):,} bytes; its manifest says {size:,}: it is damaged")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedError(f"{file} differs from its manifest (SHA-256): it is damaged")
