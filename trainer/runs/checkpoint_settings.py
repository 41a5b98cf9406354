"""What the config of a run says about its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.runs.stored_config import stored_config

CALLBACK = "callbacks.checkpoint.Checkpoint"


@dataclass(frozen=True)
class CheckpointSettings:
    """The settings that tools need of the callback that wrote the checkpoints.

    Args:
        monitor: the metric that tells what is best.
        mode: ``min`` or ``max``: which end of the metric is best.
        pinned: numbers that the config pins.
    """

    monitor: str = "loss"
    mode: str = "min"
    pinned: frozenset[int] = frozenset()


def checkpoint_settings_of(run: Path | None, prefix: str) -> CheckpointSettings:
    """Returns the settings of a run's last invocation, the defaults where there are none.

    Args:
        run: the run directory, or None for checkpoints that belong to no run.
        prefix: of the checkpoints' names, where several callbacks write into one directory.
    """
    config = stored_config(run) if run else None
    callbacks = config.get("callbacks") if config else None
    for node in callbacks.values() if isinstance(callbacks, Mapping) else ():
        if isinstance(node, Mapping) and node.get("_target_") == CALLBACK and node.get("prefix", "model") == prefix:
            return _settings(node)
    return CheckpointSettings()


def _settings(node: Mapping[str, Any]) -> CheckpointSettings:
    default = CheckpointSettings()
    return CheckpointSettings(
        monitor=str(node.get("monitor", default.monitor)),
        mode=str(node.get("mode", default.mode)),
        pinned=frozenset(node.get("pinned") or ()),
    )
