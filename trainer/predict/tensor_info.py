"""Inputs and outputs of a predictor, and conversion of values to them; no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainer.data.arrays import Array
from trainer.errors import RequestError

SAFE = {"b": "b", "i": "biu", "u": "biu", "f": "biuf", "c": "biufc", "O": "OSU"}
"""Kind of the input's dtype to the kinds that are converted to it if their values do not change."""


@dataclass(frozen=True)
class TensorInfo:
    """Input or output of a predictor.

    Args:
        tensor: Name in the graph, such as ``x:0``.
        dtype: TensorFlow's name of the type, such as ``float32`` or ``string``.
        shape: Size of each axis, None for any size; None for any shape.
        optional: True if the graph has a default value for the input.

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
        """NumPy dtype; object for strings.

        Raises:
            RequestError: NumPy has no such dtype.
        """
        try:
            return np.dtype(object if self.dtype == "string" else self.dtype)
        except TypeError as error:
            raise RequestError(f"{self.tensor} is of type {self.dtype}, which NumPy does not have") from error

    def __str__(self) -> str:
        return f"{self.dtype} {format_shape(self.shape)}"


def format_shape(shape: Sequence[int | None] | None) -> str:
    """Returns a shape as text, with ``?`` for any size; ``of any shape`` for None."""
    return "of any shape" if shape is None else f"[{', '.join('?' if n is None else str(n) for n in shape)}]"


def convert_input(name: str, value: Any, info: TensorInfo) -> Array:
    """Returns a value as an array with the dtype and shape of an input.

    Wider floats are rounded, and integers are converted if each keeps its value; a float is never
    converted to an integer.

    Args:
        name: Name of the input, for messages.
        value: Array, number, string or nested lists of them.
        info: Dtype and shape of the input.

    Raises:
        TypeError: The type cannot be converted to the input's.
        ValueError: The shape does not match, or a number would change.

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
        raise ValueError(f"{name} is not an array: {error}") from error


def _converted(name: str, array: Array, info: TensorInfo) -> Array:
    wanted = info.numpy_dtype
    # Types that NumPy itself lacks, such as bfloat16, are of kind V.
    if array.dtype.kind not in SAFE["f" if wanted.kind == "V" else wanted.kind]:
        given = array.dtype.name if array.dtype.kind in "biufc" else f"of values such as {next(array.flat, None)!r}"
        raise TypeError(f"{name} is {given} and must be {info.dtype}; convert it if that is intended")
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
    """Returns a mask of the integers that kept their value, or of the floats that did not become infinite."""
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
