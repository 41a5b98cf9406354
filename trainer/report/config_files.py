"""Configs that a run has stored, one for each process, and what changed between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CONFIG = re.compile(r"config(-(?P<number>\d+))?\.yaml")

MAX_CHARACTERS = 60_000
"""Characters of a config that a report shows."""

NOT_SETTINGS = ("resume", "run.")
"""Prefixes of keys that say where a run is and how it was called."""


@dataclass(frozen=True)
class ConfigFile:
    """Composed config of one process.

    Args:
        name: Name of the file.
        text: Content of the file, cut where it is very long.
        settings: Values by dotted key; {} where the file cannot be read as YAML.
    """

    name: str
    text: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class SettingChange:
    """Setting that differs between two configs.

    Args:
        key: Dotted key.
        before: Value before, or None where there was none.
        after: Value after, or None where there is none.
    """

    key: str
    before: str | None
    after: str | None


def read_configs(directory: Path) -> tuple[ConfigFile, ...]:
    """Returns the configs of a run in the order of its processes.

    Args:
        directory: Run directory.
    """
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return ()
    numbered = {int(match["number"] or 1): name for name in names if (match := CONFIG.fullmatch(name))}
    return tuple(_read(directory / numbered[number]) for number in sorted(numbered))


def _read(path: Path) -> ConfigFile:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return ConfigFile(path.name, f"cannot be read: {error.strerror}", {})
    try:
        settings = dotted_texts(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        settings = {}
    cut = f"{text[:MAX_CHARACTERS]}\n..." if len(text) > MAX_CHARACTERS else text
    return ConfigFile(path.name, cut, settings)


def dotted_texts(value: Any, prefix: str = "") -> dict[str, str]:
    """Returns the values of nested mappings as text by dotted key.

    Example:
        >>> dotted_texts({"loop": {"epochs": 3, "steps": None}, "tags": ["a"], "more": {}})
        {'loop.epochs': '3', 'loop.steps': 'null', 'tags': '[a]', 'more': '{}'}
    """
    if isinstance(value, Mapping) and value:
        parts = [dotted_texts(each, f"{prefix}.{key}" if prefix else str(key)) for key, each in value.items()]
        return {key: text for part in parts for key, text in part.items()}
    return {prefix: _shown(value)} if prefix else {}


def _shown(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def setting_changes(before: ConfigFile, after: ConfigFile) -> list[SettingChange]:
    """Returns the settings that differ between two configs, without those that say how the run was called.

    Example:
        >>> old, new = (ConfigFile("", "", {"seed": seed, "resume": seed}) for seed in ("0", "1"))
        >>> setting_changes(old, new)
        [SettingChange(key='seed', before='0', after='1')]
    """
    keys = dict.fromkeys([*before.settings, *after.settings])
    pairs = [(key, before.settings.get(key), after.settings.get(key)) for key in keys if is_setting(key)]
    return [SettingChange(*pair) for pair in pairs if pair[1] != pair[2]]


def is_setting(key: str) -> bool:
    """Returns whether a key changes what a run does, not where it is stored."""
    return not key.startswith(NOT_SETTINGS)
