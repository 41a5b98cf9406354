"""Settings of the callbacks that saved the checkpoints of a stored run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.runs.directory import RunDirectory
from trainer.runs.stored_config import stored_config
from trainer.state import CheckpointSettings

TARGET = "callbacks.checkpoint.Checkpoint"
"""``_target_`` of the saver in older runs, whose ``run.json`` does not have the savers' settings."""


def checkpoint_settings_of(run: Path | None, prefix: str) -> CheckpointSettings:
    """Returns the settings of a run's last invocation for one prefix, or the defaults if there are none.

    Args:
        run: Run directory, or None for checkpoints that belong to no run.
        prefix: Prefix of the checkpoints' names.
    """
    savers = stored_savers(run) if run else ()
    return next((saver for saver in savers if saver.prefix == prefix), CheckpointSettings(prefix))


def stored_savers(run: Path) -> Sequence[CheckpointSettings]:
    """Returns the settings of a run's savers, from ``run.json`` or, for older runs, from the config."""
    if savers := RunDirectory(run).info().savers:
        return savers
    callbacks = (stored_config(run) or {}).get("callbacks")
    nodes = callbacks.values() if isinstance(callbacks, Mapping) else ()
    return [_settings(node) for node in nodes if isinstance(node, Mapping) and node.get("_target_") == TARGET]


def _settings(node: Mapping[str, Any]) -> CheckpointSettings:
    default = CheckpointSettings()
    return CheckpointSettings(
        prefix=str(node.get("prefix", default.prefix)),
        monitor=str(node.get("monitor", default.monitor)),
        mode=str(node.get("mode", default.mode)),
        pinned=frozenset(node.get("pinned") or ()),
        keep_best=int(node.get("keep_best") or 0),
        all_variables=node.get("var_list") is None,
    )
