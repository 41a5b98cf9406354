"""``tf.data`` pipeline over CSV files; unlike ``trainer.data.csv_stream``, this module needs TensorFlow."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checks import check_int
from trainer.data.files import column_indices, matching_files
from trainer.data.unparsed import Unparsed, count_lines, with_records
from trainer.errors import RequestError, describe

ROWS = 128
"""Number of lines that are parsed at once, which costs a fraction of parsing them one by one."""

Columns = Mapping[str, Sequence[str]]


def csv_dataset(path: str, inputs: Columns, labels: Columns | None, delimiter: str, side_by_side: int) -> Any:
    """Returns the ``tf.data.Dataset`` described in ``trainer.data.csv_stream.csv_stream``."""
    for argument, columns in (("inputs", inputs), ("labels", labels)):
        if columns is not None and not isinstance(columns, Mapping):
            raise RequestError(
                f"{argument} ({columns!r}) must be a mapping of names to columns, such as {{x: [width]}}",
                argument=f"dataset.{argument}",
            )
    files = matching_files(path)
    header = _header(files[0], delimiter)
    for file in files[1:]:
        if (other := _header(file, delimiter)) != header:
            raise RequestError(
                f"{file} has the columns {', '.join(other)}, and {files[0]} has {', '.join(header)}; all files must "
                "have the same first line",
                argument="path",
            )
    chosen = {**inputs, **(labels or {})}
    indices = {name: column_indices(columns, header, name, Path(files[0])) for name, columns in chosen.items()}
    read = sorted({index for each in indices.values() for index in each})

    def parse(lines: Any) -> Any:
        defaults = [tf.constant([], tf.float32)] * len(read)
        table = tf.stack(tf.io.decode_csv(lines, defaults, delimiter, select_cols=read), axis=1)
        parts = {name: tf.gather(table, [read.index(i) for i in each], axis=1) for name, each in indices.items()}
        given = {name: parts[name] for name in inputs}
        return given if labels is None else (given, {name: parts[name] for name in labels})

    def lines(file: Any) -> Any:
        blocks = tf.data.TextLineDataset(file).skip(1).batch(ROWS)
        return blocks.map(lambda block: tf.boolean_mask(block, tf.strings.length(block) > 0))

    count = min(check_int("side_by_side", side_by_side, minimum=1), len(files))
    names = tf.data.Dataset.from_tensor_slices(files)
    mixed = names.interleave(lines, cycle_length=count, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    rows = mixed.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).unbatch()
    return with_records(rows, Unparsed(mixed.unbatch(), parse, lambda: count_lines(files)))


def _header(file: str, delimiter: str) -> list[str]:
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as lines:
            return [column.strip() for column in next(csv.reader(lines, delimiter=delimiter), [])]
    except (OSError, ValueError, csv.Error) as error:
        raise RequestError(f"{file} cannot be read as CSV: {describe(error)}", argument="path") from error
