"""Public names of a package that are loaded on first use, so that importing the package loads nothing heavy."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def attach(package: str, init_file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Returns ``__getattr__``, ``__dir__`` and ``__all__`` of a package whose names are listed in its ``__init__.pyi``.

    The stub is the one list of names, read by type checkers and by this function alike. Each of its
    lines is ``from package.module import name as public_name``.

    Args:
        package: Name of the package (``__name__``).
        init_file: Path of its ``__init__.py`` (``__file__``); the stub is beside it.

    References:
        PEP 562, module ``__getattr__`` and ``__dir__``.

    Example:
        >>> get, names, public = attach("trainer", import_module("trainer").__file__)
        >>> get("Schedule").__module__
        'trainer.schedule'
        >>> get("Nothing")
        Traceback (most recent call last):
            ...
        AttributeError: module 'trainer' has no attribute 'Nothing'
    """
    origins = names_in_stub(Path(init_file).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if name not in origins:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = origins[name]
        value = getattr(import_module(module), original)
        setattr(sys.modules[package], name, value)
        return value

    public = sorted(origins)

    def names() -> list[str]:
        return [*public, *(name for name in vars(sys.modules[package]) if name.startswith("__"))]

    return get, names, public


def names_in_stub(stub: Path) -> dict[str, tuple[str, str]]:
    """Returns the public names of a stub: name to the module that defines it and its name there."""
    imports = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname: (node.module, alias.name)
        for node in imports
        for alias in node.names
        if alias.asname is not None and node.module is not None
    }
