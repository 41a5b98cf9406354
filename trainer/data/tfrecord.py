"""Examples from TFRecord files of ``tf.train.Example`` messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer import data


def tfrecord(path: str, inputs: Mapping[str, Mapping[str, Any]], labels: Mapping[str, Mapping[str, Any]]) -> Any:
    """Returns a ``tf.data.Dataset`` of single examples; call it while a graph is open.

    Args:
        path: a file or a pattern such as ``data/train-*.tfrecord``; read in sorted order.
        inputs: feature name to ``{shape: [...], dtype: float32}``; dtypes as the file stores them:
            float32, int64 or string.
        labels: the same for what the loss compares with.

    Raises:
        RequestError: no file matches, a dtype cannot be stored, or the first record lacks a
            feature or holds another number of values.
    """
    return data.tfrecord_dataset(path, inputs, labels)
