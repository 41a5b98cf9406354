"""Nested configs by dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the values of a nested config by dotted key; a list is one value.

    Example:
        >>> flat({"loop": {"epochs": 3}, "trainable": ["w"]})
        {'loop.epochs': 3, 'trainable': ['w']}
    """
    result: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            result.update(flat(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result
