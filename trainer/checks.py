"""Shared checks of arguments, so that the same mistake gets the same words everywhere."""

from __future__ import annotations

import difflib
import fnmatch
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any


def close_matches(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Returns up to ``limit`` of the known names that look like ``name``, the likeliest first."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_folded, n=limit, cutoff=0.65)
    return [by_folded[folded] for folded in found]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns "did you mean ...?", or the list of what exists where nothing is close."""
    known = sorted(known)
    matches = close_matches(name, known)
    if matches:
        return f"did you mean {' or '.join(matches)}?"
    return f"there are: {', '.join(known)}" if known else "there are none"


def check_int(name: str, value: Any, minimum: int) -> int:
    """Returns ``value`` if it is an int (a bool is not) of at least ``minimum``.

    Raises:
        TypeError: The value is not a whole number.
        ValueError: The value is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} ({value!r}) must be a whole number of at least {minimum}")
    if value < minimum:
        raise ValueError(f"{name} ({value}) must be at least {minimum}")
    return value


def check_optional_int(name: str, value: Any, minimum: int) -> int | None:
    """Returns ``value`` if it passes ``check_int`` or is None."""
    return None if value is None else check_int(name, value, minimum)


def check_number(name: str, value: Any, *, above: float = -math.inf, at_least: float = -math.inf) -> float:
    """Returns ``value`` as a float if it is a finite number, greater than ``above`` and not below ``at_least``.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is not finite or too small.
    """
    bounds = f" greater than {above:g}" if above > -math.inf else ""
    bounds += f" of at least {at_least:g}" if at_least > -math.inf else ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} ({value!r}) must be a number{bounds}")
    if not math.isfinite(value) or value <= above or value < at_least:
        raise ValueError(f"{name} ({value:g}) must be a finite number{bounds}")
    return float(value)


def check_optional_number(
    name: str, value: Any, *, above: float = -math.inf, at_least: float = -math.inf
) -> float | None:
    """Returns ``value`` if it passes ``check_number`` or is None."""
    return None if value is None else check_number(name, value, above=above, at_least=at_least)


def check_share(name: str, value: Any, of: str = "examples") -> float:
    """Returns ``value`` as a float if it is a number of at least 0 and less than 1.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} ({value!r}) must be a number of at least 0 and less than 1")
    if not 0 <= value < 1:
        raise ValueError(f"{name} ({value:g}) must be at least 0 and less than 1: it is a share of the {of}")
    return float(value)


def check_bool(name: str, value: Any) -> bool:
    """Returns ``value`` if it is true or false.

    Raises:
        TypeError: The value is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} ({value!r}) must be true or false")
    return value


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Returns ``value`` if it is one of ``choices``.

    Raises:
        ValueError: The value is no choice; the message has the close matches or all choices.
    """
    choices = list(choices)
    if value not in choices:
        raise ValueError(f"{name} ({value!r}) is not known; {suggestion(str(value), choices)}")
    return str(value)


def check_optional_choice(name: str, value: Any, choices: Iterable[str]) -> str | None:
    """Returns the value if it is None or one of the choices.

    Raises:
        ValueError: It is neither; the message has close matches.
    """
    return None if value is None else check_choice(name, value, choices)


def check_names(name: str, value: Any) -> tuple[str, ...]:
    """Returns ``value`` as a tuple if it is a list of strings; a bare string is refused.

    Raises:
        TypeError: The value is a string, whose letters would be taken for names, or holds something else.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{name} ({value!r}) must be a list of names, such as [{value}]")
    names = tuple(value)
    wrong = [item for item in names if not isinstance(item, str) or not item]
    if wrong:
        raise TypeError(f"{name} holds {wrong[0]!r}, which is not a name")
    return names


def matching(key: str, pattern: str, names: Iterable[str], what: str = "variable") -> list[str]:
    """Returns the names that a pattern matches; a name is a pattern too, and ``w:0`` is taken as ``w``.

    Args:
        key: Name of the argument or config key, for the message.
        pattern: Pattern such as ``dense/*``.
        names: Names to choose from.
        what: Kind of thing that has these names, for the message.

    Raises:
        ValueError: The pattern matches no name; the message has close names, and scopes for a pattern.

    Example:
        >>> matching("trainable", "head/*", ["body/w", "head/w", "head/b"])
        ['head/w', 'head/b']
    """
    names, pattern = list(names), pattern.removesuffix(":0")
    found = fnmatch.filter(names, pattern)
    if not found:
        scopes = {f"{name.rpartition('/')[0]}/*" for name in names if "/" in name}
        known = names if not scopes or "*" not in pattern else sorted(scopes)
        raise ValueError(f"{key}: {pattern!r} matches no {what}; {suggestion(pattern, known)}")
    return found


def check_file_name(name: str, value: Any) -> str:
    """Returns ``value`` if it can name a file: no separator, nothing that a shell or TensorFlow expands.

    Raises:
        TypeError: The value is not a string.
        ValueError: The value holds another character.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} ({value!r}) must be a name; put it in quotes")
    if not re.fullmatch(r"\w[\w.-]*", value, re.ASCII):
        raise ValueError(
            f"{name} ({value!r}) must be letters, digits, '_', '.' and '-', not beginning with the last two"
        )
    return value


def finite_or_none(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Returns the metrics with None for values that are not finite, which JSON cannot write."""
    return {name: v if v is not None and math.isfinite(v) else None for name, v in metrics.items()}
