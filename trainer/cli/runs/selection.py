"""Runs chosen and ordered by any column, metric or key of their configs."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml

from trainer.checks import suggestion
from trainer.cli.runs.listing import RunRow
from trainer.config.dotted import flat
from trainer.errors import RequestError
from trainer.runs.stored_config import stored_config

CONDITION = re.compile(r"([^\s=!<>]+)\s*(==|=|!=|<=|>=|<|>)\s*(.*)", re.DOTALL)
ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

ABSENT = object()
"""Value of a key that a run does not have."""

COLUMNS = ("run", "name", "status", "epoch", "best", "age", "rate", "size")
"""Keys for sorting that are columns of the table."""


class Lookup:
    """Values of runs by column, metric or dotted key of the config; a config is read when it is asked for.

    Args:
        now: Time that ages count from.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._configs: dict[Any, Mapping[str, Any]] = {}

    def value(self, row: RunRow, key: str) -> Any:
        """Returns a value of a run; ``ABSENT`` where it has none."""
        if key in COLUMNS:
            return self._column(row, key)
        return row.metrics[key] if key in row.metrics else self._config(row).get(key, ABSENT)

    def check(self, key: str, rows: Sequence[RunRow], flag: str) -> None:
        """Checks that a key is known to a run at least.

        Args:
            key: Column, metric or dotted key.
            rows: Runs to ask; without any, each key is good.
            flag: Flag of the command line, for the message.

        Raises:
            RequestError: No run has the key; the message has close matches.
        """
        if rows and all(self.value(row, key) is ABSENT for row in rows if key not in COLUMNS):
            if key in COLUMNS:
                return
            metrics = {name for row in rows for name in row.metrics}
            configs = {name for row in rows for name in self._config(row)}
            known = [*COLUMNS, *metrics, *configs] if "." in key else [*COLUMNS, *metrics]
            raise RequestError(f"{flag} ({key}): no run has this column, metric or key; {suggestion(key, known)}")

    def _config(self, row: RunRow) -> Mapping[str, Any]:
        if row.path not in self._configs:
            self._configs[row.path] = flat(stored_config(row.path) or {})
        return self._configs[row.path]

    def _column(self, row: RunRow, key: str) -> Any:
        best = row.best
        values = {
            "run": str(row.path),
            "name": row.name,
            "status": row.status,
            "epoch": row.epoch,
            "best": None if best is None else best.value,
            "age": row.age_secs(self._now),
            "rate": row.steps_per_sec,
            "size": row.size,
        }
        return values[key]


def check_condition(text: str) -> tuple[str, str, str]:
    """Returns key, comparison and value of a condition.

    Raises:
        RequestError: The text is no condition.

    Example:
        >>> check_condition("optimizer.learning_rate>=0.1")
        ('optimizer.learning_rate', '>=', '0.1')
    """
    match = CONDITION.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"--where ({text!r}) must be KEY=VALUE, or with !=, <, <=, > or >= between them")
    key, comparison, value = match.groups()
    return key, "=" if comparison == "==" else comparison, value


def holds(value: Any, comparison: str, wanted: str) -> bool:
    """Returns whether a value meets a condition; numbers are compared as numbers, all else as text.

    Args:
        value: Value of the run, or ``ABSENT``.
        comparison: ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.
        wanted: Value as typed.

    Example:
        >>> holds(0.1, "=", "1e-1"), holds(None, "=", "null"), holds("xla", "!=", "off"), holds(ABSENT, "!=", "1")
        (True, True, True, True)
        >>> holds("fast", "<", "3")
        False
    """
    number, wanted_number = _number(value), _number(wanted)
    if comparison in ORDERED:
        return number is not None and wanted_number is not None and ORDERED[comparison](number, wanted_number)
    if number is not None and wanted_number is not None:
        same = number == wanted_number
    else:
        read = _read(wanted)
        same = value is not ABSENT and ((value == read and type(value) is type(read)) or str(value) == wanted)
    return same if comparison == "=" else not same


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def selected(
    rows: Sequence[RunRow], lookup: Lookup, *, statuses: Sequence[str], names: Sequence[str], where: Sequence[str]
) -> list[RunRow]:
    """Returns the runs that meet all conditions.

    Args:
        rows: All runs.
        lookup: Values of the runs.
        statuses: Statuses of which a run has one; [] for any.
        names: Patterns of which the name matches one; [] for any.
        where: Conditions, all of which hold.

    Raises:
        RequestError: A condition names what no run has.
    """
    conditions = [check_condition(each) for each in where]
    for key, _, _ in conditions:
        lookup.check(key, rows, "--where")
    return [
        row
        for row in rows
        if (not statuses or row.status in statuses)
        and (not names or any(fnmatch.fnmatchcase(row.name, pattern) for pattern in names))
        and all(holds(lookup.value(row, key), comparison, value) for key, comparison, value in conditions)
    ]


def ordered(rows: Sequence[RunRow], lookup: Lookup, key: str, *, reverse: bool = False) -> list[RunRow]:
    """Returns the runs in the order of a key: numbers upwards, then texts, and last those that have no value.

    ``best`` is the best first: the highest where the metric is to be maximised.

    Args:
        rows: Runs to sort.
        lookup: Values of the runs.
        key: Column, metric or dotted key.
        reverse: Whether the order of those that have a value is turned round.

    Raises:
        RequestError: No run has the key.
    """
    lookup.check(key, rows, "--sort")

    def place(row: RunRow) -> tuple[bool, float, str]:
        value = lookup.value(row, key)
        number = _number(value)
        if number is not None:
            downwards = key == "best" and row.best is not None and row.best.mode == "max"
            return False, -number if downwards else number, ""
        return True, 0.0, str(value)

    known = [row for row in rows if lookup.value(row, key) not in (None, ABSENT)]
    others = [row for row in rows if lookup.value(row, key) in (None, ABSENT)]
    return [*sorted(known, key=place, reverse=reverse), *others]
