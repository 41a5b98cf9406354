"""Search for instances of a type inside an object: in attributes, containers and closures, at any depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any, TypeVar

import tensorflow as tf

Kind = TypeVar("Kind")

PLAIN = str | bytes | int | float | tf.Tensor | tf.Variable


def find_instances(value: Any, kind: type[Kind]) -> list[Kind]:
    """Returns the outermost instances of a type in an object, each once; may be the object itself.

    Example:
        >>> find_instances({"a": [tf.Module("x")], "b": (1, "text")}, tf.Module)[0].name
        'x'
    """
    return list(_find_instances(value, kind, set()))


def _find_instances(value: Any, kind: type[Kind], seen: set[int]) -> Iterator[Kind]:
    if id(value) in seen or isinstance(value, PLAIN):
        return
    seen.add(id(value))
    if isinstance(value, kind):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _find_instances(each, kind, seen)
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from _find_instances(each, kind, seen)
    elif isinstance(value, FunctionType | MethodType | partial):
        for each in _held_by(value):
            yield from _find_instances(each, kind, seen)
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not _is_of_a_library(value):
        yield from _find_instances(vars(value), kind, seen)


def _held_by(function: Any) -> list[Any]:
    """Returns the objects that a function holds: of a closure, of a method, or arguments given beforehand."""
    if isinstance(function, MethodType):
        return [function.__self__, function.__func__]
    if isinstance(function, partial):
        return [function.func, function.args, function.keywords]
    cells = function.__closure__ or ()
    return [cell.cell_contents for cell in cells if cell != CellType()]


def _is_of_a_library(value: Any) -> bool:
    """Returns True for objects of TensorFlow or Keras, which refer to the graph and so to everything."""
    return type(value).__module__.split(".")[0] in ("tensorflow", "keras")
