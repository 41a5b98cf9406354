"""Search for instances of a type inside an object: in attributes, containers, closures and globals, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

import tensorflow as tf

Kind = TypeVar("Kind")

PLAIN = str | bytes | int | float | tf.Tensor | tf.Variable


def find_instances(value: Any, kind: type[Kind]) -> list[Kind]:
    """Returns the outermost instances of a type in an object, each once; may be the object itself.

    Globals are those that functions and methods of the object's own package use.

    Example:
        >>> find_instances({"a": [tf.Module("x")], "b": (1, "text")}, tf.Module)[0].name
        'x'
    """
    return list(_find_instances(value, kind, set(), _package_of(value)))


def _find_instances(value: Any, kind: type[Kind], seen: set[int], package: str) -> Iterator[Kind]:
    if id(value) in seen or isinstance(value, PLAIN):
        return
    seen.add(id(value))
    if isinstance(value, kind):
        yield value
        return
    for each in _parts_of(value, package):
        yield from _find_instances(each, kind, seen, package)


def _parts_of(value: Any, package: str) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set):
        return value
    if isinstance(value, FunctionType | MethodType | partial):
        return _held_by(value, package)
    if hasattr(value, "__dict__") and not isinstance(value, type | ModuleType) and not _is_of_a_library(value):
        return [vars(value), *_held_by_class(type(value), package)]
    return ()


def _held_by(function: Any, package: str) -> list[Any]:
    """Returns the objects that a function holds: of a closure, a method, its globals, or arguments given beforehand."""
    if isinstance(function, MethodType):
        return [function.__self__, function.__func__]
    if isinstance(function, partial):
        return [function.func, function.args, function.keywords]
    cells = function.__closure__ or ()
    held = [cell.cell_contents for cell in cells if cell != CellType()]
    if _package_of(function) == package:
        held += [function.__globals__[name] for name in _names_in(function.__code__) if name in function.__globals__]
    return held


def _held_by_class(kind: type, package: str) -> list[Any]:
    """Returns what the classes of an object hold: methods, and attributes that all instances share."""
    classes = [each for each in kind.__mro__ if _package_of(each) == package]
    return [each for own in classes for name, each in vars(own).items() if not name.startswith("__") or callable(each)]


def _names_in(code: CodeType) -> Iterator[str]:
    """Yields the names of globals and attributes that a function uses, inner functions included."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names_in(each)


def _package_of(value: Any) -> str:
    """Returns the name of the package, or module outside a package, that an object or its class is from."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).split(".")[0]


def _is_of_a_library(value: Any) -> bool:
    """Returns True for objects of TensorFlow or Keras, which refer to the graph and so to everything."""
    return type(value).__module__.split(".")[0] in ("tensorflow", "keras")
