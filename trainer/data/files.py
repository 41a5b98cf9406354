"""Examples from ``.npz`` and CSV files."""

from __future__ import annotations

import csv
import glob
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from trainer.checks import check_names, suggestion
from trainer.data.arrays import Array, Arrays
from trainer.errors import RequestError, describe
from trainer.files import local_path


def npz(path: str, inputs: Sequence[str], labels: Sequence[str]) -> Arrays:
    """Reads named arrays from a file of ``numpy.savez``; pickled objects in it are refused.

    Args:
        path: Path of the file.
        inputs: Names of the arrays that are inputs of the model.
        labels: Names of the arrays that are labels for the loss.

    Returns:
        Arrays with the dtypes of the file, float64 as float32.

    Raises:
        RequestError: The file cannot be read, or an array is missing.
    """
    file = existing(path)
    inputs, labels = check_names("inputs", inputs), check_names("labels", labels)
    try:
        with np.load(file, allow_pickle=False) as stored:
            for name in [*inputs, *labels]:
                if name not in stored.files:
                    raise RequestError(f"{file} has no array {name!r}; {suggestion(name, stored.files)}")
            read = {name: narrowed(stored[name]) for name in [*inputs, *labels]}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{file} is not a readable .npz file: {describe(error)}", argument="path") from error
    return Arrays({name: read[name] for name in inputs}, {name: read[name] for name in labels})


def csv_columns(
    path: str, inputs: Mapping[str, Sequence[str]], labels: Mapping[str, Sequence[str]], delimiter: str = ","
) -> Arrays:
    """Reads numbers from a CSV file whose first line names the columns.

    Args:
        path: Path of the file.
        inputs: Columns of each input by its name in the graph, such as ``{x: [width, height]}``.
        labels: Columns of each label by its name in the graph, such as ``{y: [price]}``.
        delimiter: Character between the columns.

    Returns:
        Arrays float32 [rows, columns] by name.

    Raises:
        RequestError: The file cannot be read, a column is missing, or a value is not numeric.
    """
    file = existing(path)
    for argument, columns in (("inputs", inputs), ("labels", labels)):
        if not isinstance(columns, Mapping):
            raise RequestError(
                f"{argument} ({columns!r}) must be a mapping of names to columns, such as {{x: [width]}}",
                argument=argument,
            )
    chosen = {**inputs, **labels}
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            header = [column.strip() for column in next(reader, [])]
            indices = {name: column_indices(columns, header, name, file) for name, columns in chosen.items()}
            # Only the requested columns are read, because the others may contain text.
            read = sorted({index for each in indices.values() for index in each})
            table = _numbers(lines, delimiter, read)
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{file} cannot be read as CSV numbers: {describe(error)}", argument="path") from error
    if not len(table):
        raise RequestError(f"{file} has no row after its header", argument="path")
    arrays = {name: table[:, [read.index(index) for index in each]] for name, each in indices.items()}
    return Arrays({name: arrays[name] for name in inputs}, {name: arrays[name] for name in labels})


def _numbers(lines: TextIO, delimiter: str, columns: Sequence[int]) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="loadtxt: input contained no data")
        table: Array = np.loadtxt(
            lines, np.float32, delimiter=delimiter, usecols=columns, quotechar='"', ndmin=2, comments=None
        )
    return table


def existing(path: str) -> Path:
    """Returns the path of an existing file.

    Raises:
        RequestError: The file does not exist; the message has close names in its directory.
    """
    file = local_path(path, "path")
    if file.is_file():
        return file
    if file.is_dir():
        raise RequestError(f"{file} is a directory; give the path of a file in it", argument="path")
    beside: Iterable[str] = [each.name for each in file.parent.iterdir()] if file.parent.is_dir() else []
    hint = suggestion(file.name, beside) if len(list(beside)) <= 20 else "check the path"
    raise RequestError(f"there is no file {file}; in {file.parent.resolve()}, {hint}", argument="path")


def matching_files(path: str, what: str = "file") -> list[str]:
    """Returns the paths of the files that a path, or a pattern such as ``data/*.csv``, names, sorted.

    Args:
        path: Path or pattern.
        what: Kind of the files, for the message.

    Raises:
        RequestError: There is none.
    """
    if files := sorted(glob.glob(str(local_path(path, "path")))):  # noqa: PTH207 - a pattern may be absolute
        return files
    if any(letter in path for letter in "*?["):
        raise RequestError(f"no {what} matches {path}", argument="path")
    return [str(existing(path))]


def narrowed(array: Array) -> Array:
    """Returns a float64 array as float32, the dtype of models; any other array unchanged."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def column_indices(columns: Sequence[str], header: Sequence[str], name: str, file: Path) -> list[int]:
    """Returns the indices of columns in the header, from 0."""
    if isinstance(columns, str):
        raise RequestError(f"data {name!r} ({columns!r}) must be a list of columns, such as [{columns}]")
    for column in columns:
        if list(header).count(column) > 1:
            raise RequestError(f"{file} has {list(header).count(column)} columns {column!r}; give each its own name")
        if column not in header:
            raise RequestError(f"{file} has no column {column!r}; {suggestion(column, header)}")
    return [list(header).index(column) for column in columns]
