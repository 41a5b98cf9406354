"""Versions of the software that a run uses, for its records."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("tensorflow", "keras", "numpy", "hydra-core", "omegaconf")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a run's bits depend on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}
