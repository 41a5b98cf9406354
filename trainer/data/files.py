"""Arrays from files: ``.npz`` and CSV."""

from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from trainer.checks import check_names, suggestion
from trainer.data.arrays import Array, Arrays
from trainer.errors import RequestError, describe


def npz(path: str, inputs: Sequence[str], labels: Sequence[str]) -> Arrays:
    """Reads named arrays from a file of ``numpy.savez``; pickled objects in it are refused.

    Args:
        path: the file.
        inputs: names of the arrays that a prediction is made from.
        labels: names of the arrays that the loss compares it with.

    Returns:
        The arrays with the dtypes of the file, float64 as float32.

    Raises:
        RequestError: the file cannot be read or lacks a name.
    """
    file = existing(path)
    inputs, labels = check_names("inputs", inputs), check_names("labels", labels)
    try:
        with np.load(file, allow_pickle=False) as stored:
            for name in [*inputs, *labels]:
                if name not in stored.files:
                    raise RequestError(f"{file} holds no array {name!r}; {suggestion(name, stored.files)}")
            read = {name: narrowed(stored[name]) for name in [*inputs, *labels]}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{file} is no readable .npz file: {describe(error)}", argument="path") from error
    return Arrays({name: read[name] for name in inputs}, {name: read[name] for name in labels})


def csv_columns(
    path: str, inputs: Mapping[str, Sequence[str]], labels: Mapping[str, Sequence[str]], delimiter: str = ","
) -> Arrays:
    """Reads numbers from a CSV file whose first line names the columns.

    Args:
        path: the file.
        inputs: name in the graph to columns of the file, such as ``{x: [width, height]}``.
        labels: the same for what the loss compares with.
        delimiter: between the columns.

    Returns:
        float32 [rows, columns] for each name.

    Raises:
        RequestError: the file cannot be read, lacks a column, or holds something that is no number.
    """
    file = existing(path)
    for argument, columns in (("inputs", inputs), ("labels", labels)):
        if not isinstance(columns, Mapping):
            raise RequestError(
                f"{argument} ({columns!r}) must be names to columns, such as {{x: [width]}}", argument=argument
            )
    chosen = {**inputs, **labels}
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            header = [column.strip() for column in next(reader, [])]
            places = {name: places_of(columns, header, name, file) for name, columns in chosen.items()}
            # Only the columns that are asked for: the others may hold text.
            read = sorted({place for each in places.values() for place in each})
            table = _numbers(lines, delimiter, read)
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{file} cannot be read as CSV numbers: {describe(error)}", argument="path") from error
    if not len(table):
        raise RequestError(f"{file} has no row after its header", argument="path")
    arrays = {name: table[:, [read.index(place) for place in each]] for name, each in places.items()}
    return Arrays({name: arrays[name] for name in inputs}, {name: arrays[name] for name in labels})


def _numbers(lines: TextIO, delimiter: str, columns: Sequence[int]) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="loadtxt: input contained no data")
        table: Array = np.loadtxt(
            lines, np.float32, delimiter=delimiter, usecols=columns, quotechar='"', ndmin=2, comments=None
        )
    return table


def existing(path: str) -> Path:
    """Returns the path of a file.

    Raises:
        RequestError: there is no such file; the message has close names in its directory.
    """
    file = Path(path)
    if file.is_file():
        return file
    if file.is_dir():
        raise RequestError(f"{file} is a directory; name a file in it", argument="path")
    beside: Iterable[str] = [each.name for each in file.parent.iterdir()] if file.parent.is_dir() else []
    hint = suggestion(file.name, beside) if len(list(beside)) <= 20 else "check the path"
    raise RequestError(f"there is no file {file}; in {file.parent.resolve()}, {hint}", argument="path")


def narrowed(array: Array) -> Array:
    """Returns float64 as float32, the dtype that models compute in; the rest as it is."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def places_of(columns: Sequence[str], header: Sequence[str], name: str, file: Path) -> list[int]:
    """Returns where the columns stand in the header."""
    if isinstance(columns, str):
        raise RequestError(f"data {name!r} ({columns!r}) must be a list of columns, such as [{columns}]")
    for column in columns:
        if list(header).count(column) > 1:
            raise RequestError(f"{file} has {list(header).count(column)} columns {column!r}; give each its own name")
        if column not in header:
            raise RequestError(f"{file} has no column {column!r}; {suggestion(column, header)}")
    return [list(header).index(column) for column in columns]
