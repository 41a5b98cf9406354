"""Examples from TFRecord files of ``tf.train.Example`` messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer import data


def tfrecord(
    path: str,
    inputs: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, Mapping[str, Any]],
    side_by_side: int = 1,
) -> Any:
    """Returns a ``tf.data.Dataset`` of single examples; must be called while a graph is open.

    Args:
        path: Path of a file, or a pattern such as ``data/train-*.tfrecord``, read in sorted order.
        inputs: Mappings ``{shape: [...], dtype: float32}`` of the inputs by name of the feature,
            with the dtypes of the file (float32, int64 or string).
        labels: Mappings ``{shape: [...], dtype: float32}`` of the labels by name of the feature.
        side_by_side: Number of files that are read at a time, a record of each in turn, always in the same order.

    Raises:
        RequestError: No file matches, a dtype is not one of the three, or the first record does not
            have a feature with the given dtype and number of values.
    """
    return data.tfrecord_dataset(path, inputs, labels, side_by_side)
