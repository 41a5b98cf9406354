"""Parsing of input values on a command line; no TensorFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.files import local_path
from trainer.graphdef.feeds import input_name
from trainer.predict.tensor_info import TensorInfo

NUMBERS = re.compile(r"\[|(true|false|[-+]?\d[\d.e+-]*)$", re.IGNORECASE)
"""Form of a number or a list, which is no name of a file."""


def parse_inputs(texts: Sequence[str], inputs: Mapping[str, TensorInfo]) -> dict[str, Any]:
    """Returns the values of inputs by name.

    Args:
        texts: Arguments ``x=1,2,3`` (numbers that fill the input's shape row by row), ``x=[[1, 2], [3, 4]]``,
            ``x=@file.npy``, ``x=@file.npz`` (its array ``x``), or ``@file.npz`` (all its arrays). Strings are
            ``x=ant,bee``, ``x=A whole line, with spaces`` or ``x=["two", "of them"]``.
        inputs: Inputs of the predictor by name.

    Raises:
        RequestError: An argument has another form, or a file cannot be read.

    Example:
        >>> parse_inputs(["x=1,2,3,4"], {"x": TensorInfo("x:0", "float32", (None, 2))})["x"].shape
        (2, 2)
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if text.startswith("@"):
            values |= read_arrays(local_path(text[1:]))
        elif not equals or not name:
            raise RequestError(f"--input {text!r} must be NAME=VALUES, NAME=@FILE.npy or @FILE.npz")
        elif value.startswith("@"):
            values[name] = _array(local_path(value[1:]), name)
        else:
            values[name] = _typed(value, inputs.get(name))
    return values


def parse_arrays(texts: Sequence[str]) -> dict[str, Array]:
    """Returns the arrays of inputs by name, read from files, and numbers.

    Args:
        texts: Arguments ``x=file.npy``, ``x=file.npz`` (its array ``x``), ``@file.npz`` (all its arrays), or a number
            or list such as ``keep_prob=1``; ``x=@file.npy`` is accepted too.

    Raises:
        RequestError: An argument has another form, or a file cannot be read.
    """
    arrays: dict[str, Array] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if text.startswith("@"):
            arrays |= read_arrays(local_path(text[1:]))
        elif equals and name and NUMBERS.match(file):
            arrays[name] = np.asarray(_typed(file, None))
        elif equals and name and file:
            arrays[name] = _array(local_path(file.removeprefix("@")), name)
        else:
            raise RequestError(f"--input {text!r} must be NAME=FILE.npy, NAME=NUMBER or @FILE.npz")
    return arrays


def parse_feeds(texts: Sequence[str]) -> dict[str, str] | None:
    """Returns tensors to feed in the place of what the graph reads, by the name of the input; None for none.

    Args:
        texts: Arguments ``TENSOR`` or ``NAME=TENSOR``; the input of ``op:0`` is ``op``, that of ``op:1`` ``op_1``.

    Example:
        >>> parse_feeds(["IteratorGetNext:1", "image=batch:0"])
        {'IteratorGetNext_1': 'IteratorGetNext:1', 'image': 'batch:0'}
    """
    pairs = [text.rpartition("=") for text in texts]
    return {name or input_name(tensor): tensor for name, _, tensor in pairs} or None


def read_arrays(path: Path) -> dict[str, Array]:
    """Returns the arrays of an ``.npz`` by name.

    Raises:
        RequestError: The file cannot be read, or is not an ``.npz``.
    """
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        raise RequestError(f"{path} has one array without a name; give NAME=@{path}, or a file of numpy.savez")
    return loaded


def _array(path: Path, name: str) -> Array:
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        return loaded
    if name not in loaded:
        raise RequestError(f"{path} has no array {name!r}; there are: {', '.join(loaded)}")
    return loaded[name]


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return dict(loaded)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise RequestError(f"{path} is not a file of numpy.save or numpy.savez without pickles") from error


def _typed(text: str, info: TensorInfo | None) -> Any:
    try:
        value = _strings(text) if info and info.dtype == "string" else json.loads(_list(text))
    except ValueError:
        value = text.split(",")
    if text.startswith("[") or info is None or info.shape is None:
        alone = isinstance(value, list) and len(value) == 1 and not text.startswith("[")
        return value[0] if alone else value
    flat = np.asarray(value)
    sizes = [-1 if size is None else size for size in info.shape]
    # Values that do not fill the shape are returned flat: the predictor reports the mismatch.
    known = int(np.prod([size for size in sizes if size != -1]))
    fills = flat.size == known if -1 not in sizes else known > 0 and flat.size % known == 0
    return flat.reshape(sizes) if sizes.count(-1) <= 1 and fills else flat


def _list(text: str) -> str:
    return text if text.startswith("[") else f"[{text}]"


def _strings(text: str) -> Any:
    """Returns the strings of a text: of a JSON list, else words between commas, or one string if it has spaces."""
    try:
        return json.loads(_list(text)) if text.startswith(("[", '"')) else _words(text)
    except ValueError:
        return _words(text)


def _words(text: str) -> list[str]:
    return [text] if any(map(str.isspace, text)) else text.split(",")
