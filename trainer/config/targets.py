"""What is wrong with a ``_target_`` or its arguments, with close matches."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

from hydra.utils import get_object

from trainer.checks import close_matches, suggestion
from trainer.errors import describe

UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
LACKING = re.compile(r"missing \d+ required (?:keyword-only |positional )?arguments?: (.+)")


def explain_target(target: str, cause: BaseException | None) -> str:
    """Returns why a node could not be made.

    Args:
        target: the dotted name in its ``_target_``.
        cause: what was raised when the target was looked up or called.
    """
    found = locate(target)
    if found is None:
        return _not_found(target)
    text = describe(cause) if cause is not None else "it could not be called"
    if match := UNEXPECTED.search(text):
        name = match.group(1)
        return f"{target} has no argument {name!r}; {suggestion(name, _parameters(found))}"
    if isinstance(cause, TypeError) and (match := LACKING.search(text)):
        return f"{target} needs {match.group(1)}; set it in the config"
    return text


def locate(target: str) -> Any:
    """Returns the object of a dotted name, such as a class or a method of one, or None where there is none."""
    try:
        return get_object(target)
    except (ImportError, ValueError, AttributeError):
        return None


def _not_found(target: str) -> str:
    module, _, name = target.rpartition(".")
    try:
        known = [each for each in dir(importlib.import_module(module)) if not each.startswith("_")]
    except ImportError as error:
        return f"_target_ {target}: {error}"
    near = close_matches(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"{module} has no such name"
    return f"_target_ {target} cannot be found; {hint}"


def _parameters(found: Any) -> list[str]:
    try:
        return [name for name in inspect.signature(found).parameters if name != "self"]
    except (TypeError, ValueError):
        return []
