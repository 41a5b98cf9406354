"""Plan of the variables to load from a checkpoint: decided over plain data, before anything is assigned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from trainer.checks import matching, suggestion
from trainer.errors import RequestError
from trainer.warm_start import WarmStart

if TYPE_CHECKING:
    from trainer.checkpoints.contents import Tensor

MAX_SHOWN = 6
"""Max number of problems in a message; the others show once the first ones are fixed."""

RANDOM_STATE = "seed_generator_state"
"""Suffix of the Keras variables that hold the state of random ops: loaded only if named, else seeded by the new run."""

LOADED, INITIALISED, LEFT_OUT = "loaded", "initialised", "left out"


@dataclass(frozen=True)
class Transfer:
    """Plan of the variables to load from a checkpoint.

    Args:
        prefix: Prefix of the checkpoint's files.
        loaded: Names in the file by the names of the variables that are loaded.
        initialised: Names of the variables that keep their own initial values.
        left_out: Names in the file that are not loaded.
        tensors: Dtypes and shapes of the variables, by their names in model and file.
        by_saver: Whether the file has all that the graph's Saver restores, positions of pipelines included.
        reader: Reader of the values; None for that of a checkpoint.
    """

    prefix: Path
    loaded: Mapping[str, str]
    initialised: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    by_saver: bool = False
    reader: Any = field(default=None, compare=False, repr=False)

    def line(self) -> str:
        """Returns the counts, with the names of up to three initialised variables."""
        few = f" ({', '.join(self.initialised)})" if 0 < len(self.initialised) <= 3 else ""
        return (
            f"{self.prefix}: {len(self.loaded)} variables loaded, {len(self.initialised)} initialised{few}, "
            f"{len(self.left_out)} of the file left out"
        )

    def table(self) -> str:
        """Returns a table of the variables and of the names in the file that are left out."""
        rows = [(name, LOADED, stored if stored != name else "") for name, stored in self.loaded.items()]
        rows += [(name, INITIALISED, "") for name in self.initialised]
        rows += [(name, LEFT_OUT, "") for name in self.left_out]
        cells = [(name, str(self.tensors.get(name, "")), status, source) for name, status, source in rows]
        return tabulate(cells, headers=["variable", "type", "", "name in the file"], tablefmt="simple")

    def to_json(self) -> dict[str, Any]:
        """Returns JSON data for ``run.json``."""
        return {
            "checkpoint": str(self.prefix),
            "loaded": dict(self.loaded),
            "initialised": list(self.initialised),
            "left_out": list(self.left_out),
        }


def plan_transfer(
    warm_start: WarmStart, prefix: Path, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]
) -> Transfer:
    """Returns the plan of a warm start.

    Args:
        warm_start: Settings of the warm start.
        prefix: Prefix of the checkpoint's files.
        stored: Tensors in the checkpoint, by name.
        declared: Variables of the model by name; the optimizer's are left out and start fresh.

    Raises:
        RequestError: A name or pattern matches nothing, a dtype or shape differs, or nothing is
            loaded; the message lists the differences.
    """
    try:
        pairs = _pairs(warm_start, stored, declared)
        for pattern in warm_start.exclude:
            excluded = matching("warm_start.exclude", pattern, [*declared, *(set(stored) - set(declared))])
            pairs = {name: source for name, source in pairs.items() if name not in excluded}
    except ValueError as error:
        raise RequestError(str(error)) from error
    problems = [line for name, source in pairs.items() if (line := _problem(name, source, stored, declared))]
    if problems:
        raise RequestError(_refusal(prefix, problems, pairs, stored, declared))
    if not pairs:
        raise RequestError(
            f"{prefix} has no variable of the model\n"
            f"  the model has: {_some(declared)}\n  the file has:  {_some(stored)}\n"
            "map names with warm_start.variables={NAME_IN_FILE: VARIABLE}",
            argument="warm_start.path",
        )
    return Transfer(
        prefix,
        dict(sorted(pairs.items())),
        tuple(sorted(set(declared) - set(pairs))),
        tuple(sorted(set(stored) - set(pairs.values()))),
        {**stored, **declared},
    )


def _pairs(warm_start: WarmStart, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> dict[str, str]:
    """Returns the names in the file by the names of the variables to load."""
    wanted, key = warm_start.variables, "warm_start.variables"
    if wanted is None:
        return {name: name for name in declared if name in stored and not name.endswith(RANDOM_STATE)}
    if isinstance(wanted, Mapping):
        pairs: dict[str, str] = {}
        for source, target in wanted.items():
            pairs.update(_renamed(key, source.removesuffix(":0"), target.removesuffix(":0"), stored, declared))
        return pairs
    found: dict[str, str] = {}
    for pattern in wanted:
        names = matching(key, pattern, declared)
        is_name = names == [pattern.removesuffix(":0")]
        # A full name must be in the file; a pattern selects the variables that are in both.
        found.update({name: name for name in names if is_name or name in stored})
    return found


def _renamed(
    key: str, source: str, target: str, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]
) -> dict[str, str]:
    """Returns the names in the file, by variable, that one entry of a mapping selects."""
    if "*" not in target:
        matching(key, target, declared)
        matching(key, source, stored, "name in the file")
        return {target: source}
    if source.count("*") != 1 or target.count("*") != 1:
        raise ValueError(f"{key}: {source!r}: {target!r} must have one * each, for the same text")
    shape = re.compile("(.*)".join(map(re.escape, target.split("*"))))
    pairs = {}
    for name in matching(key, target, declared):
        if (match := shape.fullmatch(name)) and source.replace("*", match[1]) in stored:
            pairs[name] = source.replace("*", match[1])
    if not pairs:
        names = matching(key, source, stored, "name in the file")
        raise ValueError(f"{key}: of {source!r} ({_some(names)}) nothing fits {target!r} ({_some(declared)})")
    return pairs


def _problem(name: str, source: str, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> str:
    if source not in stored:
        return f"{name}: not in the file; {suggestion(source, stored)}"
    if not declared[name].accepts(stored[source]):
        return f"{name}: graph {declared[name]}, file {stored[source]}"
    return ""


def _refusal(
    prefix: Path,
    problems: list[str],
    pairs: Mapping[str, str],
    stored: Mapping[str, Tensor],
    declared: Mapping[str, Tensor],
) -> str:
    wrong = next(name for name, source in pairs.items() if _problem(name, source, stored, declared))
    scope = wrong.rpartition("/")[0]
    lines = "\n  ".join(problems[:MAX_SHOWN])
    more = f"\n  and {len(problems) - MAX_SHOWN} more" if len(problems) > MAX_SHOWN else ""
    return (
        f"{prefix} does not fit the model; nothing was loaded:\n  {lines}{more}\n"
        f"leave out variables that start fresh with warm_start.exclude=[{scope + '/*' if scope else wrong!r}]"
    )


def _some(names: Iterable[str], limit: int = 6) -> str:
    names = sorted(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
