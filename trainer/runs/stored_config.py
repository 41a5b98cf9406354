"""Config that a run has stored, read under the current names.

A renamed key or ``_target_`` goes into one of the two tables here: then earlier runs can be resumed and exported, and
a user who types the old name is told the new one.
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
"""Current dotted keys by those of earlier versions; both are in the same node."""

RENAMED_TARGETS: Mapping[str, str] = {"trainer.graph.optimizer_parts.Optimizers": "trainer.Optimizers"}
"""Current ``_target_`` by that of earlier versions."""

OURS = ("trainer.", "callbacks.")


def stored_config(directory: Path) -> Mapping[str, Any] | None:
    """Returns the config of the run's last invocation, or None if it cannot be read."""
    files = sorted(directory.glob("config*.yaml"), key=lambda path: (len(path.name), path.name))
    if not files:
        return None
    try:
        config = OmegaConf.to_container(OmegaConf.load(files[-1]))
    except Exception:  # noqa: BLE001 - YAML has many errors, and a config that is lost must not stop a run
        return None
    return with_current_names(config) if isinstance(config, Mapping) else None


def with_current_names(
    config: Mapping[Any, Any],
    keys: Mapping[str, str] = RENAMED_KEYS,
    targets: Mapping[str, str] = RENAMED_TARGETS,
) -> dict[str, Any]:
    """Returns a config with renamed keys and targets under their current names.

    Args:
        config: Config of plain dicts and lists, as YAML gives them; not changed.
        keys: New dotted keys by old ones.
        targets: New ``_target_`` by old ones.

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
    """Returns the new keys by the old keys that a config holds.

    Args:
        config: Config of plain dicts and lists.
        keys: New dotted keys by old ones.

    Example:
        >>> renamed_keys_in({"data": {"_target_": "trainer.data.arrays.InMemory", "held_out": 0.2}})
        {'data.held_out': 'data.validation'}
        >>> renamed_keys_in({"data": {"_target_": "mine.Data", "held_out": 0.2}})
        {}
    """
    return {old: new for old, new in keys.items() if old.rpartition(".")[2] in (_node_of(config, old) or {})}


def _node_of(config: Mapping[Any, Any], key: str) -> Any:
    """Returns the mapping that holds a key; None if there is none or it belongs to a class of the user."""
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
