"""Facts about the surroundings of a run, for its records."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from importlib import metadata

PACKAGES = ("tensorflow", "keras", "numpy", "hydra-core", "omegaconf")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a run's bits depend on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def utc_now() -> str:
    """Returns the time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
