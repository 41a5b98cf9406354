"""What differs between the config of a run and the one that it is resumed with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.errors import RequestError

# What may change without changing a bit of what training computes from here on.
HARMLESS = ("run", "resume", "resume_changes", "warm_start", "callbacks", "loop.epochs", "loop.steps_per_call")

# What says where a run begins, and nothing of how it goes on.
NOT_OF_A_RESUME = ("resume", "run", "resume_changes", "warm_start")

ABSENT = "(absent)"


@dataclass(frozen=True)
class Change:
    """A key that differs.

    Args:
        key: dotted.
        old: its value in the run's config.
        new: its value now.
    """

    key: str
    old: Any
    new: Any

    @property
    def is_harmless(self) -> bool:
        """Whether a resume takes it without being told to."""
        return self.key.startswith(tuple(f"{each}." for each in HARMLESS)) or self.key in HARMLESS

    def __str__(self) -> str:
        return f"{self.key}: {self.old} -> {self.new}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Returns the keys that differ between two configs, sorted; a key that is not there is null.

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


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns dotted keys to values; lists are values."""
    result: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            result.update(flat(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result


def digest(config: Mapping[str, Any]) -> str:
    """Returns a SHA-256 of what is not harmless to change, in hexadecimal."""
    kept = {key: value for key, value in flat(config).items() if not Change(key, None, None).is_harmless}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def check_changes(old: Mapping[str, Any], new: Mapping[str, Any], *, allow: bool) -> list[Change]:
    """Returns the changes that a resume takes.

    Raises:
        RequestError: some change what is computed, and were not allowed; the message lists them.
    """
    found = changes(old, new)
    refused = [each for each in found if not each.is_harmless]
    if refused and not allow:
        lines = "\n  ".join(str(each) for each in refused[:6])
        more = f"\n  and {len(refused) - 6} more" if len(refused) > 6 else ""
        raise RequestError(
            f"the config differs from the run's:\n  {lines}{more}\n"
            "give the run's own values, or resume_changes=allow to insist"
        )
    return [each for each in found if each.key.split(".")[0] not in NOT_OF_A_RESUME]
