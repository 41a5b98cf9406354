"""Versions of the software that a run uses, for its records."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib import metadata

MODULES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "hydra-core": "hydra",
    "omegaconf": "omegaconf",
}
"""Modules by the name in the records, the one under which PyPI has them."""


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a run's bits depend on.

    An imported module says its own version: TensorFlow also comes as ``tensorflow-cpu``,
    ``tensorflow-rocm``, ``tf-nightly`` or a vendor's build, whose metadata has another name. A package
    without a version is left out.

    Example:
        >>> sorted(versions())
        ['hydra-core', 'keras', 'numpy', 'omegaconf', 'python', 'tensorflow']
    """
    found = {name: _version(name, module) for name, module in MODULES.items()}
    return {"python": platform.python_version(), **{name: version for name, version in found.items() if version}}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Returns the packages whose versions differ, with both; "" if none does.

    A package that only one of the two knows is no difference.

    Example:
        >>> changed({"keras": "3.12.4", "numpy": "2.2.6"}, {"keras": "3.15.1", "numpy": "2.2.6"})
        'keras 3.12.4 -> 3.15.1'
    """
    names = [name for name in before if name in now and before[name] != now[name]]
    return ", ".join(f"{name} {before[name]} -> {now[name]}" for name in names)


def _version(name: str, module: str) -> str | None:
    version = getattr(sys.modules.get(module), "__version__", None)
    if isinstance(version, str):
        return version
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
