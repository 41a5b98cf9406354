"""Errors of Hydra and OmegaConf, explained in terms of the command line and with close matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.checks import suggestion
from trainer.config.near_keys import close_keys
from trainer.config.sources import ConfigSources
from trainer.config.targets import cheap_parameters
from trainer.runs.stored_config import RENAMED_KEYS

KEY = re.compile(r"Could not override '([^']+)'|Could not delete from config\. '([^']+)'")
APPEND = re.compile(r"Could not append to config\. An item is already at '([^']+)'")
VALUE = re.compile(r"Value '([^']*)'(?: of type '\w+')? could not be converted to (\w+)")
GROUP = re.compile(r"Could not find '([^']+)'")
TWICE = re.compile(r"Multiple values for (\w+)\. To override a value use 'override \w+: ([^']*)'")
NOT_NULL = re.compile(r"field '(\w+)' is not Optional")
WITHOUT_PACKAGE = re.compile(r"(\w+)@experiment\.")
NULL_GROUP = "Config group override must be a string or a list"


def explain(error: Exception, overrides: Sequence[str], sources: ConfigSources) -> str:
    """Returns an explanation of an error in a few lines.

    Args:
        error: Error that Hydra or OmegaConf raised while composing the config.
        overrides: Overrides as typed.
        sources: Directories of the config, for close matches.
    """
    chain = _chain(error)
    text = "\n".join(str(each) for each in chain)
    if match := KEY.search(text):
        return _about_key(match.group(1) or match.group(2), text, overrides, sources)
    if match := APPEND.search(text):
        return f"{match.group(1)} is in the config already; set it without the + ({match.group(1)}=VALUE)"
    missing = next((each for each in chain if isinstance(each, MissingConfigException)), None)
    if missing is not None and missing.missing_cfg_file:
        group, _, choice = missing.missing_cfg_file.rpartition("/")
        return _about_choice(group, choice, missing.options or sources.choices(group))
    if "Could not find" in text and (match := GROUP.search(text)):
        group, _, choice = match.group(1).rpartition("/")
        return _about_choice(group or "config", choice, sources.choices(group))
    if NULL_GROUP in text or (match := NOT_NULL.search(text)):
        return _about_null(text, overrides)
    if match := TWICE.search(text):
        return _about_second_choice(match.group(1), match.group(2), overrides)
    if match := VALUE.search(text):
        return f"{_full_key(text)} ({match.group(1)!r}) must be {_kind(match.group(2))}"
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(dict.fromkeys(lines[:5]))


def _about_key(key: str, text: str, overrides: Iterable[str], sources: ConfigSources) -> str:
    if "could not be converted" in text and (match := VALUE.search(text)):
        return f"{key} ({match.group(1)!r}) must be {_kind(match.group(2))}"
    if match := WITHOUT_PACKAGE.search(key):
        return (
            f"the experiment chooses {match.group(1)} and lacks '# @package _global_'; "
            "add that as the first line of its file"
        )
    config = _without(key, overrides, sources)
    known = list(_keys(config, ""))
    if RENAMED_KEYS.get(key) in known:
        return f"there is no key {key}; it is {RENAMED_KEYS[key]} now"
    if key.startswith("callbacks.") and key.count(".") == 1:
        return _about_callback(key.partition(".")[2], config, sources)
    group, _, name = key.rpartition(".")[0].partition(".")
    if group == "callbacks" and f"callbacks.{name}" not in known and name in sources.choices("callbacks"):
        return f"callbacks.{name} is not on; add it with +callbacks={name}"
    if near := close_keys(key, [*known, *_parameters_beside(key, config)]):
        # A key that only the signature of the target has is added with a plus.
        meant = [each if each in known else f"+{each}" for each in near]
        return f"there is no key {key}; did you mean {' or '.join(meant)}?"
    parent = key.rpartition(".")[0]
    beside = ", ".join(sorted(each.rpartition(".")[2] for each in known if each.rpartition(".")[0] == parent))
    where = f"{parent} has: {beside}" if beside else "--cfg job shows all keys"
    return f"there is no key {key}; {where} (a new key is added with +{key}=VALUE)"


def _about_choice(group: str, choice: str, choices: Iterable[str]) -> str:
    what = {"callbacks": "callbacks file"}.get(group, group)
    # A dotted name is that of a class, which is set by another key.
    target = f" (a class is set with {group}._target_={choice})" if "." in choice else ""
    return f"there is no {what} {choice!r}; {suggestion(choice, choices)}{target}"


def _about_callback(name: str, config: DictConfig, sources: ConfigSources) -> str:
    if name in sources.choices("callbacks"):
        return f"callbacks.{name} is not on; add it with +callbacks={name}"
    key, there = f"callbacks.{name}", [f"callbacks.{each}" for each in config.get("callbacks") or {}]
    return f"there is no key {key}; {suggestion(key, there)} (a new one is added with +{key}=VALUE)"


def _about_null(text: str, overrides: Iterable[str]) -> str:
    match = NOT_NULL.search(text)
    typed = next((each for each in overrides if re.search(r"=.*\bnull\b", each)), "")
    key = match.group(1) if match else typed.partition("=")[0].lstrip("+")
    if key == "callbacks":
        return "callbacks cannot be null; drop a callback by name with '~callbacks.NAME'"
    return f"{key} cannot be null; leave {key} out for the default, or give it a value"


def _about_second_choice(group: str, choice: str, overrides: Iterable[str]) -> str:
    if group == "callbacks":
        return (
            f"callbacks is chosen twice ({choice} comes second); add to the choice with +callbacks={choice}, in an "
            f"experiment with - override /callbacks: [default, {choice}]"
        )
    if any(each.startswith(f"+{group}=") for each in overrides):
        return f"{group} has a choice already; choose another without the + ({group}={choice})"
    return f"{group} is chosen twice; in an experiment write - override /{group}: {choice}"


def _without(wrong: str, overrides: Iterable[str], sources: ConfigSources) -> DictConfig:
    """Returns the config without the overrides of the wrong key, or an empty config if none can be composed."""
    others = [each for each in overrides if re.split("[=@]", each.lstrip("+~"))[0] != wrong]
    for attempt in (others, [each for each in others if each.lstrip("+").startswith("experiment=")]):
        try:
            return sources.compose(attempt)
        except (HydraException, OmegaConfBaseException):
            continue
    return OmegaConf.create({})


def _keys(node: DictConfig, prefix: str) -> Iterable[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = None if OmegaConf.is_missing(node, key) else node[key]
        if isinstance(child, DictConfig):
            yield from _keys(child, f"{prefix}{key}.")


def _parameters_beside(key: str, config: DictConfig) -> list[str]:
    """Returns the keys that the signature of the node's ``_target_`` accepts beside a key."""
    parent = key.rpartition(".")[0]
    node = OmegaConf.select(config, parent) if parent else None
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    return [f"{parent}.{name}" for name in cheap_parameters(target)] if isinstance(target, str) else []


def _chain(error: BaseException | None) -> list[BaseException]:
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__
    return chain


def _full_key(text: str) -> str:
    match = re.search(r"full_key: (\S+)", text)
    return match.group(1) if match else "a value"


def _kind(name: str) -> str:
    return {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}.get(name, name)
