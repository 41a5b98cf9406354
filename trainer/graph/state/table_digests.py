"""Digests of the look-up tables that a graph fills itself, which are in no checkpoint."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.files import sha256_of
from trainer.graphdef.op_types import TABLE_FILE_OP, TABLE_INITIALIZER_OP

v1 = tf.compat.v1


def table_digests(graph: Any) -> list[dict[str, Any]]:
    """Returns name, file (or None) and SHA-256 of each table with constant entries or a vocabulary file.

    Args:
        graph: Graph with the tables.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     words = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
        ...     _ = tf.lookup.StaticHashTable(words, 0, name="words")
        ...     [(each["table"], each["file"], len(each["sha256"])) for each in table_digests(graph)]
        [('words', None, 64)]
    """
    found = []
    for op in graph.get_collection(v1.GraphKeys.TABLE_INITIALIZERS):
        if not TABLE_INITIALIZER_OP.search(getattr(op, "type", "")):
            continue
        values = [tf.get_static_value(tensor) for tensor in op.inputs[1:]]
        if any(value is None for value in values):
            continue
        file = values[0].item().decode() if TABLE_FILE_OP.search(op.type) else None
        if file is None or Path(file).is_file():
            digest = _sha256(values) if file is None else sha256_of(Path(file))
            found.append({"table": op.inputs[0].op.name, "file": file, "sha256": digest})
    return found


def _sha256(values: list[Any]) -> str:
    digest = hashlib.sha256()
    for value in map(np.asarray, values):
        # Strings are objects in NumPy, so their bytes are added with their lengths.
        for part in [value] if value.dtype != object else map(bytes, value.ravel()):
            digest.update(f"{value.dtype} {value.shape} {len(part)} ".encode())
            digest.update(part.tobytes() if isinstance(part, np.ndarray) else part)
    return digest.hexdigest()
