"""What a predictor takes and gives, and how values are made to fit; no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainer.data.arrays import Array
from trainer.errors import RequestError

SAFE = {"b": "b", "i": "biu", "u": "biu", "f": "biuf", "c": "biufc", "O": "OSU"}
"""For each kind of dtype that may be wanted, the kinds that are taken for it if their values survive."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output.

    Args:
        tensor: its name in the graph, such as ``x:0``.
        dtype: TensorFlow's name of the type, such as ``float32`` or ``string``.
        shape: None in it is any size; None instead of it is any shape.
        optional: whether the graph has a value of its own where none is given.

    Example:
        >>> str(TensorInfo("x:0", "float32", (None, 2)))
        'float32 [?, 2]'
    """

    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None
    optional: bool = False

    @cached_property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype of arrays; object for strings.

        Raises:
            RequestError: no array holds such a thing.
        """
        try:
            return np.dtype(object if self.dtype == "string" else self.dtype)
        except TypeError as error:
            raise RequestError(f"{self.tensor} is of type {self.dtype}, which no array can hold") from error

    def __str__(self) -> str:
        return f"{self.dtype} {format_shape(self.shape)}"


def format_shape(shape: Sequence[int | None] | None) -> str:
    """Returns a shape with ``?`` for any size; ``of any shape`` for None."""
    return "of any shape" if shape is None else f"[{', '.join('?' if n is None else str(n) for n in shape)}]"


def convert_input(name: str, value: Any, info: TensorInfo) -> Array:
    """Returns a value as the array that an input takes.

    Numbers and lists are taken, wider floats are rounded, and integers are converted where each
    keeps its value; a float is never made an integer.

    Args:
        name: of the input, for messages.
        value: an array, a number, a string or nested lists of them.
        info: of the input.

    Raises:
        TypeError: the type does not go into the input's.
        ValueError: the shape does not fit, or a number would change.

    Example:
        >>> convert_input("x", [[1, 2]], TensorInfo("x:0", "float32", (None, 2)))
        array([[1., 2.]], dtype=float32)
    """
    array = value if isinstance(value, np.ndarray) else _from_python(name, value)
    if array.dtype != info.numpy_dtype or info.dtype == "string":
        array = _converted(name, array, info)
    if not _fits(array.shape, info.shape):
        raise ValueError(_wrong_shape(name, array.shape, info))
    return array


def _from_python(name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from error


def _converted(name: str, array: Array, info: TensorInfo) -> Array:
    wanted = info.numpy_dtype
    # The types that NumPy does not know itself, such as bfloat16, are of kind V.
    if array.dtype.kind not in SAFE["f" if wanted.kind == "V" else wanted.kind]:
        given = array.dtype.name if array.dtype.kind in "biufc" else f"of values such as {next(array.flat, None)!r}"
        raise TypeError(f"{name} is {given} and must be {info.dtype}; convert it, if that is meant")
    if wanted.kind == "O":
        wrong = [each for each in array.flat if not isinstance(each, str | bytes)]
        if wrong:
            raise TypeError(f"{name} holds {wrong[0]!r} and must be {info.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        result: Array = array.astype(wanted)
        kept = np.asarray(True) if wanted.kind == "O" else _kept(array, result)
    if not np.all(kept):
        raise ValueError(f"{name} holds {array[~kept][0]}, which {info.dtype} cannot hold")
    return result


def _kept(array: Array, result: Array) -> Array:
    """Returns where integers are the same numbers, and where floats did not become infinite."""
    if array.dtype.kind in "iu":
        same: Array = (result.astype(array.dtype) == array) & ((result < 0) == (array < 0))
    else:
        same = np.isfinite(result) == np.isfinite(array)
    return same


def _fits(given: tuple[int, ...], declared: tuple[int | None, ...] | None) -> bool:
    if declared is None:
        return True
    if len(given) != len(declared):
        return False
    return all(b is None or a == b for a, b in zip(given, declared, strict=True))


def _wrong_shape(name: str, given: tuple[int, ...], info: TensorInfo) -> str:
    hint = ""
    if _fits((1, *given), info.shape):
        hint = f"; for a batch of one give {name}[None]"
    return f"{name} has the shape {list(given)} and must have {format_shape(info.shape)}{hint}"
