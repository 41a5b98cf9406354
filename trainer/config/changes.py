"""Differences between the stored config of a run and the config of its resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.config.dotted import flat
from trainer.config.unread_keys import about_unread, unread_keys
from trainer.errors import RequestError

HARMLESS = (
    "run",
    "resume",
    "resume_changes",
    "warm_start",
    "callbacks",
    "session",
    "loop.epochs",
    "loop.steps_per_call",
    "loop.log_every_n_steps",
    "trust",
    "allow",
    "vars",
    "debug",
    "sweep",
)
"""Keys that may change without changing a bit of the training after a resume, on one machine."""

TRUST = "trust"
"""Last part of keys that only decide whether a file is opened."""

AROUND = ("resume", "run", "resume_changes", "session", "trust", "allow", "vars", "sweep")
"""Keys that determine where a run is and how a process treats it, or that act only through others."""

UNRECORDED = (*AROUND, "warm_start")
"""Keys that determine only how a run starts, or that act only through others; a change of one is not recorded."""

ABSENT = "(absent)"
"""Value of a key that a config does not have."""


@dataclass(frozen=True)
class Change:
    """Key whose value differs.

    Args:
        key: Dotted key.
        old: Value in the stored config of the run.
        new: Value in the config of the resume.
    """

    key: str
    old: Any
    new: Any

    @property
    def is_harmless(self) -> bool:
        """True if a resume accepts the change without ``resume_changes=allow``."""
        within = self.key.startswith(tuple(f"{each}." for each in HARMLESS))
        return within or self.key in HARMLESS or self.key.rpartition(".")[2] == TRUST

    def __str__(self) -> str:
        return f"{self.key}: {self.old} -> {self.new}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Returns the keys that differ between two configs, sorted; null equals a missing key.

    Args:
        old: Stored config of the run.
        new: Config of the resume.

    Example:
        >>> [str(each) for each in changes({"loop": {"epochs": 1}, "seed": 0}, {"loop": {"epochs": 2}})]
        ['loop.epochs: 1 -> 2', 'seed: 0 -> (absent)']
    """
    before, after = flat(old), flat(new)
    return [
        Change(key, before.get(key, ABSENT), after.get(key, ABSENT))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def digest(config: Mapping[str, Any]) -> str:
    """Returns a SHA-256 of all keys that are not harmless to change, in hexadecimal."""
    relevant = {key: value for key, value in flat(config).items() if not Change(key, None, None).is_harmless}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True, default=str).encode()).hexdigest()


def is_same_job(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Returns whether two configs ask for the same training, callbacks included, wherever it is stored.

    Args:
        old: Stored config of a run.
        new: Config of a job of a sweep.

    Example:
        >>> is_same_job({"seed": 1, "run": {"name": "a"}}, {"seed": 1, "resume": "auto"})
        True
        >>> is_same_job({"loop": {"epochs": 1}}, {"loop": {"epochs": 2}})
        False
    """
    found = changes(old, new)
    return all(each.key.split(".")[0] in AROUND or each.key.endswith(f".{TRUST}") for each in found)


def check_changes(old: Mapping[str, Any], new: Mapping[str, Any], *, allow: bool) -> list[Change]:
    """Returns the changes that a resume accepts.

    Args:
        old: Stored config of the run.
        new: Config of the resume.
        allow: Whether changes that affect the result are accepted.

    Raises:
        RequestError: Changes that affect the result are not allowed; the message lists them.
    """
    found = changes(old, new)
    refused = [each for each in found if not each.is_harmless]
    if refused and not allow:
        unread = list(unread_keys(old))
        lines = "\n  ".join(
            f"{each} ({about_unread(each.key, flat(new))})" if each.key in unread else str(each) for each in refused[:6]
        )
        more = f"\n  and {len(refused) - 6} more" if len(refused) > 6 else ""
        raise RequestError(
            f"the config differs from the run's:\n  {lines}{more}\n"
            "use the values of the run, or set resume_changes=allow"
        )
    return [each for each in found if each.key.split(".")[0] not in UNRECORDED and not each.key.endswith(f".{TRUST}")]
