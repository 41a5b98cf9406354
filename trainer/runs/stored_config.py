"""Config that a run has stored, read under the names of today.

A key or a ``_target_`` that gets another name goes into one of the two tables here: then the runs that were made before
can be resumed and exported, and whoever types the old name is told the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

RENAMED_KEYS: Mapping[str, str] = {
    "data.held_out": "data.validation",
    "data.most_examples": "data.max_examples",
}
"""Dotted key of an earlier version to the key of today, in the same node."""

RENAMED_TARGETS: Mapping[str, str] = {}
"""``_target_`` of an earlier version to the ``_target_`` of today."""

OURS = ("trainer.", "callbacks.")


def stored_config(directory: Path) -> Mapping[str, Any] | None:
    """Returns the config of the run's last invocation, or None where it cannot be read."""
    files = sorted(directory.glob("config*.yaml"), key=lambda path: (len(path.name), path.name))
    if not files:
        return None
    try:
        config = OmegaConf.to_container(OmegaConf.load(files[-1]))
    except Exception:  # noqa: BLE001 - YAML has many errors, and a config that is lost must not keep a run from going on
        return None
    return with_current_names(config) if isinstance(config, Mapping) else None


def with_current_names(
    config: Mapping[Any, Any],
    keys: Mapping[str, str] = RENAMED_KEYS,
    targets: Mapping[str, str] = RENAMED_TARGETS,
) -> dict[str, Any]:
    """Returns a config with renamed keys and targets under their names of today.

    Args:
        config: Plain dicts and lists, as YAML gives them; stays as it is.
        keys: Dotted old key to new key.
        targets: Old ``_target_`` to new one.

    Example:
        >>> old = {"data": {"_target_": "trainer.data.arrays.InMemory", "held_out": 0.2}}
        >>> with_current_names(old)
        {'data': {'_target_': 'trainer.data.arrays.InMemory', 'validation': 0.2}}
    """
    renamed: dict[str, Any] = _with_current_targets(config, targets)
    for old, new in keys.items():
        node, name = _node_of(renamed, old), old.rpartition(".")[2]
        if node is not None and name in node:
            node[new.rpartition(".")[2]] = node.pop(name)
    return renamed


def renamed_keys_in(config: Mapping[Any, Any], keys: Mapping[str, str] = RENAMED_KEYS) -> dict[str, str]:
    """Returns the old keys that a config holds, each with its name of today.

    Args:
        config: Plain dicts and lists.
        keys: Dotted old key to new key.

    Example:
        >>> renamed_keys_in({"data": {"_target_": "trainer.data.arrays.InMemory", "held_out": 0.2}})
        {'data.held_out': 'data.validation'}
        >>> renamed_keys_in({"data": {"_target_": "mine.Data", "held_out": 0.2}})
        {}
    """
    return {old: new for old, new in keys.items() if old.rpartition(".")[2] in (_node_of(config, old) or {})}


def _node_of(config: Mapping[Any, Any], key: str) -> Any:
    """Returns the mapping that holds a key, or None where it is none or belongs to a class of the user's own."""
    node: Any = config
    for part in key.split(".")[:-1]:
        node = node.get(part) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not str(node.get("_target_", OURS[0])).startswith(OURS):
        return None
    return node


def _with_current_targets(value: Any, targets: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        made = {key: _with_current_targets(each, targets) for key, each in value.items()}
        if isinstance(made.get("_target_"), str):
            made["_target_"] = targets.get(made["_target_"], made["_target_"])
        return made
    return [_with_current_targets(each, targets) for each in value] if isinstance(value, list) else value
