"""Which variables take their values from a checkpoint: decided over plain data, before anything is assigned."""

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
    from trainer.checkpoints.reader import Tensor

MAX_SHOWN = 6
"""Problems in a message; a person mends the first and sees the others then."""

RANDOM_STATE = "seed_generator_state"
"""Where Keras keeps what random ops draw next: the seed of the new run decides that, unless it is named."""

LOADED, INITIALISED, LEFT_OUT = "loaded", "initialised", "left out"


@dataclass(frozen=True)
class Transfer:
    """What is taken of a checkpoint.

    Args:
        prefix: of the checkpoint's files.
        loaded: variable to its name in the file.
        initialised: variables that keep the model's own start.
        left_out: names in the file that nothing takes.
        tensors: dtype and shape of all of them, by these names.
        with_pipeline: whether the file also has where the data pipeline stood.
    """

    prefix: Path
    loaded: Mapping[str, str]
    initialised: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    with_pipeline: bool = False

    def line(self) -> str:
        """Returns the counts, with the names of what is initialised where they are few."""
        few = f" ({', '.join(self.initialised)})" if 0 < len(self.initialised) <= 3 else ""
        return (
            f"{self.prefix}: {len(self.loaded)} variables loaded, {len(self.initialised)} initialised{few}, "
            f"{len(self.left_out)} of the file left out"
        )

    def table(self) -> str:
        """Returns a row for each variable and for each name in the file that is left out."""
        rows = [(name, LOADED, stored if stored != name else "") for name, stored in self.loaded.items()]
        rows += [(name, INITIALISED, "") for name in self.initialised]
        rows += [(name, LEFT_OUT, "") for name in self.left_out]
        cells = [(name, str(self.tensors.get(name, "")), what, source) for name, what, source in rows]
        return tabulate(cells, headers=["variable", "type", "", "name in the file"], tablefmt="simple")

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON data, for ``run.json``."""
        return {
            "checkpoint": str(self.prefix),
            "loaded": dict(self.loaded),
            "initialised": list(self.initialised),
            "left_out": list(self.left_out),
        }


def plan_transfer(
    warm_start: WarmStart, prefix: Path, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]
) -> Transfer:
    """Returns what a warm start takes of a checkpoint.

    Args:
        warm_start: what was asked for.
        prefix: of the checkpoint.
        stored: what it holds.
        declared: the model's variables, without those of the optimizer, whose slots start fresh.

    Raises:
        RequestError: a name or pattern matches nothing, a dtype or shape differs, or nothing is
            loaded; the message has all differences.
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
            f"warm_start.path {prefix} has no variable of the model\n"
            f"  the model has: {_some(declared)}\n  the file has:  {_some(stored)}\n"
            "map names with warm_start.variables={NAME_IN_FILE: VARIABLE}"
        )
    return Transfer(
        prefix,
        dict(sorted(pairs.items())),
        tuple(sorted(set(declared) - set(pairs))),
        tuple(sorted(set(stored) - set(pairs.values()))),
        {**stored, **declared},
    )


def _pairs(warm_start: WarmStart, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> dict[str, str]:
    """Returns variable to name in the file."""
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
        # A name that was given must be in the file; of a pattern, what is in both is taken.
        found.update({name: name for name in names if is_name or name in stored})
    return found


def _renamed(
    key: str, source: str, target: str, stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]
) -> dict[str, str]:
    """Returns variable to name in the file for one entry of a mapping."""
    if "*" not in target:
        matching(key, target, declared)
        matching(key, source, stored, "name in the file")
        return {target: source}
    if source.count("*") != 1 or target.count("*") != 1:
        raise ValueError(f"{key}: {source!r}: {target!r} must have one * each, which stands for the same text")
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
    if stored[source] != declared[name]:
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
        f"leave out what is to be new with warm_start.exclude=[{scope + '/*' if scope else wrong}]"
    )


def _some(names: Iterable[str], limit: int = 6) -> str:
    names = sorted(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
