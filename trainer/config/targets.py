"""Explanations of a wrong ``_target_`` or wrong arguments of one, with close matches."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from hydra.utils import get_object

from trainer.checks import close_matches, suggestion
from trainer.config.parameters import parameters_of
from trainer.config.shipped_callbacks import hidden_file
from trainer.errors import describe
from trainer.runs.stored_config import RENAMED_KEYS, RENAMED_TARGETS

# The second form is that of Keras for a class with **kwargs.
UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'|not recognized: \{'(\w+)'")
LACKING = re.compile(r"missing \d+ required (?:keyword-only |positional )?arguments?: (.+)")

WITHOUT_TENSORFLOW = ("callbacks.", "trainer.data.")
"""Prefixes of the ``_target_`` names whose modules import no TensorFlow."""


def explain_target(target: str, cause: BaseException | None, renamed: Mapping[str, str] = RENAMED_TARGETS) -> str:
    """Returns the reason why a node could not be instantiated.

    Args:
        target: ``_target_`` of the node, a dotted name.
        cause: Error raised while looking up or calling the target.
        renamed: Current ``_target_`` by the old one.
    """
    found = find_object(target)
    if found is None and target in renamed:
        return f"there is no _target_ {target}; it is {renamed[target]} now"
    if found is None:
        return _not_found(target)
    text = describe(cause) if cause is not None else "it could not be called"
    if match := UNEXPECTED.search(text):
        return _unexpected(target, match.group(1) or match.group(2), parameter_names(found))
    if isinstance(cause, TypeError) and (match := LACKING.search(text)):
        return f"{target} needs {match.group(1)}; set it in the config"
    return text


def find_object(target: str) -> Any:
    """Returns the object of a dotted name, such as a class or a method, or None if there is none."""
    try:
        return get_object(target)
    except (ImportError, ValueError, AttributeError):
        return None


def _unexpected(target: str, name: str, known: list[str]) -> str:
    now = renamed_argument(name, known)
    hint = f"it is {now} now" if now else suggestion(name, known)
    return f"{target} has no argument {name!r}; {hint}"


def renamed_argument(name: str, known: Collection[str]) -> str | None:
    """Returns the current name of an argument by that of an earlier version; None unless it is a known one."""
    now = {old.rpartition(".")[2]: new.rpartition(".")[2] for old, new in RENAMED_KEYS.items()}.get(name)
    return now if now is not None and now in known else None


def _not_found(target: str) -> str:
    if file := hidden_file(target):
        return f"_target_ {target} cannot be found: a module of this trainer hides {file}; give that file another name"
    module, _, name = target.rpartition(".")
    try:
        known = [each for each in dir(importlib.import_module(module)) if not each.startswith("_")]
    except ImportError as error:
        return f"_target_ {target}: {error}"
    near = close_matches(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"{module} has no such name"
    return f"_target_ {target} cannot be found; {hint}"


def cheap_parameters(target: str) -> list[str]:
    """Returns the parameters of a target whose module imports no TensorFlow, [] for any other target.

    Args:
        target: ``_target_`` of a node, a dotted name.
    """
    return parameter_names(find_object(target)) if target.startswith(WITHOUT_TENSORFLOW) else []


def parameter_names(found: Any) -> list[str]:
    """Returns the names of the parameters that a config can set; [] if there is no signature."""
    parameters = parameters_of(found)
    return [] if parameters is None else list(parameters.named)
