"""Values of a config compared with annotations of arguments, and annotations in words."""

from __future__ import annotations

import collections.abc
import inspect
import math
import os
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

OURS = ("trainer", "callbacks")
"""Packages whose classes come from a node only; a class of the user may take a value that stands for it."""


@dataclass(frozen=True)
class Range:
    """Range of a number, for ``Annotated``; such a number is finite.

    Args:
        least: Smallest number.
        most: Largest number.
        above: Number that is too small.

    Example:
        >>> fits(0, Annotated[float, Range(above=0)]), fits(0.5, Annotated[float, Range(least=0, most=1)])
        (False, True)
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf

    def holds(self, value: float) -> bool:
        """Returns whether a number is in the range."""
        return math.isfinite(value) and self.least <= value <= self.most and value > self.above

    def __str__(self) -> str:
        if math.isfinite(self.above):
            return f"greater than {self.above:g}"
        if math.isfinite(self.most):
            return f"from {self.least:g} to {self.most:g}"
        return f"of at least {self.least:g}" if math.isfinite(self.least) else ""


def is_node(value: Any) -> bool:
    """Returns whether a value is a node, whose object may be of any type."""
    return isinstance(value, Mapping) and "_target_" in value


def fits(value: Any, annotation: Any) -> bool:
    """Returns whether a value of a config may be given to an argument.

    A list fits any collection, as YAML has no other, and a string is no list of letters. A node, and an annotation
    that says nothing about plain values, fit always.

    Args:
        value: Value as plain Python: a scalar, None, a list or a dict.
        annotation: Type, or form of ``typing``.

    Example:
        >>> fits(3, float), fits(True, int), fits("ab", Sequence[str]), fits([1, None], Sequence[int | None])
        (True, False, False, True)
    """
    if is_node(value):
        return True
    annotation = _meant(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        ranges = [each for each in inner[1:] if isinstance(each, Range)]
        in_range = not isinstance(value, int | float) or all(each.holds(value) for each in ranges)
        return in_range and fits(value, inner[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in inner)
    if annotation is None or annotation is types.NoneType:
        return value is None
    return _fits_class(value, origin or annotation, inner)


def _meant(annotation: Any) -> Any:
    """Returns the type that a ``NewType`` or a ``type`` statement names."""
    for attribute in ("__supertype__", "__value__"):
        if not inspect.isclass(annotation) and hasattr(annotation, attribute):
            return _meant(getattr(annotation, attribute))
    return annotation


def _fits_class(value: Any, kind: Any, inner: tuple[Any, ...]) -> bool:
    if not inspect.isclass(kind) or kind is object:
        return True
    if kind in (bool, str):
        return isinstance(value, kind)
    if kind in (int, float, complex):
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if kind is collections.abc.Callable:
        return False
    if issubclass(kind, os.PathLike):
        return isinstance(value, str)
    if _is_mapping(kind):
        pairs = value.items() if isinstance(value, Mapping) else ()
        return isinstance(value, Mapping) and (
            len(inner) != 2 or all(fits(key, inner[0]) and fits(each, inner[1]) for key, each in pairs)
        )
    if _is_collection(kind):
        return isinstance(value, list | tuple) and _fit_each(value, kind, inner)
    return kind.__module__.partition(".")[0] not in OURS


def _fit_each(values: Sequence[Any], kind: Any, inner: tuple[Any, ...]) -> bool:
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        return len(values) == len(inner) and all(map(fits, values, inner))
    return not inner or all(fits(each, inner[0]) for each in values)


def _is_mapping(kind: type) -> bool:
    return issubclass(kind, Mapping)


def _is_collection(kind: type) -> bool:
    builtin = (list, tuple, set, frozenset)
    return kind in builtin or (kind.__module__ == "collections.abc" and issubclass(kind, collections.abc.Iterable))


WORDS: Mapping[Any, tuple[str, str]] = {
    bool: ("true or false", "true or false each"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "names"),
}
"""Words for one value and for the values of a list, by type."""


def in_words(annotation: Any, *, plural: bool = False) -> str:
    """Returns what an annotation accepts, in the words of a config.

    Args:
        annotation: Type, or form of ``typing``.
        plural: Whether the values of a list are described.

    Example:
        >>> in_words(int | None), in_words(Sequence[str] | Mapping[str, str]), in_words(Literal["min", "max"])
        ('a whole number or null', 'a list of names or a mapping', 'min or max')
    """
    annotation = _meant(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        ranges = " ".join(str(each) for each in inner[1:] if isinstance(each, Range))
        return f"{in_words(inner[0], plural=plural)} {ranges}".strip()
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(in_words(each, plural=plural) for each in inner))
    if origin is Literal:
        return " or ".join(map(str, inner))
    if annotation is None or annotation is types.NoneType:
        return "null"
    kind: Any = origin or annotation
    if kind in WORDS:
        return WORDS[kind][plural]
    if inspect.isclass(kind) and issubclass(kind, os.PathLike):
        return "paths" if plural else "a path"
    if inspect.isclass(kind) and _is_mapping(kind):
        return "mappings" if plural else "a mapping"
    if inspect.isclass(kind) and _is_collection(kind):
        of = f" of {in_words(inner[0], plural=True)}" if inner and inner[0] != Any else ""
        return f"lists{of}" if plural else f"a list{of}"
    return "nodes with a _target_" if plural else "a node with a _target_"
