"""The config that a run has stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


def stored_config(directory: Path) -> Mapping[str, Any] | None:
    """Returns the config of the run's last invocation, or None where it cannot be read."""
    files = sorted(directory.glob("config*.yaml"), key=lambda path: (len(path.name), path.name))
    if not files:
        return None
    try:
        config = OmegaConf.to_container(OmegaConf.load(files[-1]))
    except Exception:  # noqa: BLE001 - YAML has many errors, and a config that is lost must not keep a run from going on
        return None
    return config if isinstance(config, Mapping) else None  # type: ignore[return-value]
