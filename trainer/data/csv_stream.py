"""Numbers from CSV files of any size, read while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer import data


def csv_stream(
    path: str,
    inputs: Mapping[str, Sequence[str]],
    labels: Mapping[str, Sequence[str]] | None = None,
    delimiter: str = ",",
    side_by_side: int = 4,
) -> Any:
    """Returns a ``tf.data.Dataset`` of the rows of CSV files whose first line names the columns.

    Args:
        path: Path of a file, or a pattern such as ``data/*.csv``, read in sorted order.
        inputs: Columns of each input by its name in the graph, such as ``{x: [width, height]}``.
        labels: Columns of each label by its name in the graph, such as ``{y: [price]}``; None for none.
        delimiter: Character between the columns.
        side_by_side: Number of files that are read at a time, a block of rows of each in turn, which mixes them.

    Returns:
        Data set of single rows, float32 [columns] by name.

    Raises:
        RequestError: No file matches, a column is missing, or the files differ in their first lines.
    """
    return data.csv_dataset(path, inputs, labels, delimiter, side_by_side)
