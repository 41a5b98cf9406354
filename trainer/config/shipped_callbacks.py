"""Shipped package ``callbacks``, importable beside a package of the same name in the user's directory."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from trainer.errors import RequestError

NAME = "callbacks"
SHIPPED = Path(__file__).resolve().parents[2] / NAME


def is_hidden() -> bool:
    """Returns whether Python finds another module or package instead of the shipped one; imports nothing."""
    spec = importlib.util.find_spec(NAME)
    return spec is None or spec.origin is None or Path(spec.origin).resolve().parent != SHIPPED


def join_packages(targets: Iterable[str]) -> None:
    """Makes the modules of the shipped package ``callbacks`` and of the user's importable together.

    The shipped directory comes first in the search path, so a shipped name always means the shipped module.

    Args:
        targets: ``_target_`` names that are going to be looked up.

    Raises:
        RequestError: A plain ``callbacks.py`` hides the package, and a target needs a shipped module.
    """
    package = importlib.import_module(NAME)
    if hasattr(package, "__path__"):
        others = pkgutil.extend_path(list(package.__path__), NAME)
        package.__path__ = [str(SHIPPED), *(each for each in others if Path(each).resolve() != SHIPPED)]
        return
    needed = [each for each in targets if each.startswith(f"{NAME}.") and _shipped_file(each).is_file()]
    if needed:
        raise RequestError(
            f"{package.__file__} hides the package {NAME} of this trainer, which {needed[0]} is in; rename that file"
        )


def hidden_file(target: str) -> Path | None:
    """Returns the user's file that a shipped module of the same name hides, or None.

    Args:
        target: ``_target_`` that was not found, such as ``callbacks.checkpoint.Mine``.
    """
    if not target.startswith(f"{NAME}.") or not _shipped_file(target).is_file():
        return None
    folders = getattr(importlib.import_module(NAME), "__path__", [])
    files = [Path(folder) / _shipped_file(target).name for folder in folders if Path(folder).resolve() != SHIPPED]
    return next((file for file in files if file.is_file()), None)


def _shipped_file(target: str) -> Path:
    return SHIPPED / f"{target.split('.')[1]}.py"
