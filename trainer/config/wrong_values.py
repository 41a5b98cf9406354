"""Errors of OmegaConf about a value that the schema does not accept, in terms of the key and what it accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trainer.config.schema import SECTIONS

FULL_KEY = re.compile(r"full_key: (\S+)")
NULL = re.compile(r"field '([\w.]+)' is not Optional|Incompatible value 'None' for field of type")
NOT_CONVERTED = re.compile(r"Value '([^']*)'(?: of type '\w+')? could not be converted to (\w+)")
NOT_TEXT = re.compile(r"Cannot convert '\w+' to string: '(.*)'")
NOT_A_LIST = re.compile(
    r"Invalid value assigned: \w+ is not a ListConfig, list or tuple|Cannot merge DictConfig with ListConfig"
)
NOT_A_MAPPING = re.compile(r"Cannot assign \w+ to Dict\[")
NOT_A_SECTION = re.compile(r"\w+ is not a subclass of (\w+)Config\. value: (.*)")
NOT_DELETED = re.compile(r"does not support deletion")
NOT_FOUND = re.compile(r"Interpolation key '([^']+)' not found")

KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
GROUPS = ("experiment", "model", "data", "optimizer")


def explain_value(text: str, key: str = "", overrides: Iterable[str] = ()) -> str:
    r"""Returns an explanation of an error about a value, or '' if the error is about something else.

    Args:
        text: Messages of the error and its causes.
        key: Dotted key of the value; '' if it is in the text.
        overrides: Overrides as typed, for the value where the text lacks it.

    Example:
        >>> explain_value("Value 'x' of type 'str' could not be converted to Integer\n    full_key: seed")
        "seed ('x') must be a whole number"
        >>> explain_value(
        ...     "Merge error: int is not a subclass of LoopConfig. value: 3\n    full_key: "
        ... )  # doctest: +ELLIPSIS
        'loop (3) must be a mapping; set its keys: loop.epochs, ..., loop.compile'
    """
    full = FULL_KEY.search(text)
    key = key or (full.group(1) if full else "")
    if match := NULL.search(text):
        return about_null(match.group(1) or key)
    if match := NOT_CONVERTED.search(text):
        return f"{key or 'a value'} ({match.group(1)!r}) must be {KINDS.get(match.group(2), match.group(2))}"
    if match := NOT_TEXT.search(text):
        return f"{key} ({match.group(1)}) must be text"
    if NOT_A_LIST.search(text):
        return f"{key}{_typed(key, overrides)} must be a list of names, such as [NAME]"
    if NOT_A_MAPPING.search(text):
        return f"{key}{_typed(key, overrides)} must be a mapping, such as {{name: 3}}"
    if match := NOT_A_SECTION.search(text):
        section = re.sub(r"(?<!^)([A-Z])", r"_\1", match.group(1)).lower()
        keys = ", ".join(f"{section}.{each}" for each in SECTIONS.get(section, ()))
        return f"{section} ({match.group(2)}) must be a mapping; set its keys: {keys}"
    if NOT_DELETED.search(text):
        return about_deleted(key)
    if match := NOT_FOUND.search(text):
        where = f"{key} refers to" if key else "a value refers to"
        own = match.group(1) if match.group(1).startswith("vars.") else f"vars.{match.group(1)}"
        return f"{where} ${{{match.group(1)}}}, and there is no such key; values of your own are set with +{own}=VALUE"
    return ""


def about_deleted(key: str) -> str:
    """Returns the message about ``~KEY`` for a key that needs a value."""
    return f"{key} cannot be left out with ~{key}; give it another value: {key}=VALUE"


def _typed(key: str, overrides: Iterable[str]) -> str:
    values = [each.partition("=")[2] for each in overrides if each.lstrip("+").partition("=")[0] == key]
    return f" ({values[-1]})" if values else ""


def about_null(key: str, choices: Iterable[str] = ()) -> str:
    """Returns the message about null for a key that needs a value.

    Args:
        key: Dotted key.
        choices: Names of the choices, if the key is a group.

    Example:
        >>> about_null("model", ["cnn", "mlp"])
        'model cannot be null; choose one with model=NAME: cnn, mlp'
    """
    if key == "callbacks":
        return "callbacks cannot be null; drop a callback by name with '~callbacks.NAME'"
    if key == "loop.epochs":
        return "loop.epochs cannot be null; give it a value: loop.epochs=N"
    if listed := ", ".join(choices):
        plus = "+" if key == "experiment" else ""
        return f"{key} cannot be null; choose one with {plus}{key}=NAME: {listed}"
    return f"{key} cannot be null; leave {key} out for the default, or give it a value"
