"""Errors of Hydra and OmegaConf, explained in terms of the command line and with close matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.checks import suggestion
from trainer.config.near_keys import ADDED, close_keys
from trainer.config.optimizer_parts import IN_PART, OWN_KEYS
from trainer.config.schema import SECTIONS, TOP_KEYS
from trainer.config.sources import ConfigSources
from trainer.config.targets import cheap_parameters
from trainer.config.unread_keys import about_unread
from trainer.config.wrong_values import FULL_KEY, GROUPS, NULL, about_null, explain_value
from trainer.runs.stored_config import RENAMED_KEYS

KEY = re.compile(r"Could not override '([^']+)'|Could not delete from config\. '([^']+)'")
APPEND = re.compile(r"Could not append to config\. An item is already at '([^']+)'")
UNREAD = re.compile(r"Key '(\w+)'(?: is)? not in '(?:Train|Loop|Run|WarmStart|Sweep)Config'")
ADDED_GROUP = re.compile(r"\+([\w/]+)=")
GROUP = re.compile(r"Could not find '([^']+)'")
TWICE = re.compile(r"Multiple values for (\w+)\. To override a value use 'override \w+: ([^']*)'")
WITHOUT_PACKAGE = re.compile(r"(\w+)@experiment\.")
FRAME = re.compile(r"\s+(full_key|reference_type|object_type)")
NOT_A_NAME = re.compile(r"null|true|false|[-+\d.].*", re.IGNORECASE)
BELOW_NULL = "Unexpected type for root"
NULL_GROUP = "Config group override must be a string or a list"

OF_HYDRA = "hydra/"
INTERVAL = "does not support sweep type : INTERVAL_SWEEP"
OPTUNA = "pip install 'graph-trainer[optuna]'"

OF_USERS = ("experiment", "callbacks")
"""Groups to which users add files of their own most often."""


def explain(error: Exception, overrides: Sequence[str], sources: ConfigSources) -> str:
    """Returns an explanation of an error in a few lines.

    Args:
        error: Error that Hydra or OmegaConf raised while composing the config.
        overrides: Overrides as typed.
        sources: Directories of the config, for close matches.
    """
    chain = _chain(error)
    text = "\n".join(str(each) for each in chain)
    if match := UNREAD.search(text):
        key = _full_key(text) or match.group(1)
        return about_unread(key, _known(key, overrides, sources), sources.groups(), _chosen(overrides))
    if match := KEY.search(text):
        return _about_key(match.group(1) or match.group(2), text, overrides, sources)
    if BELOW_NULL in text:
        return _about_null_parent(overrides, sources)
    if match := APPEND.search(text):
        return f"{match.group(1)} is in the config already; set it without the + ({match.group(1)}=VALUE)"
    missing = next((each for each in chain if isinstance(each, MissingConfigException)), None)
    if missing is not None and missing.missing_cfg_file:
        group, _, choice = missing.missing_cfg_file.rpartition("/")
        return _about_choice(group, choice, missing.options or sources.choices(group), sources)
    if "Could not find" in text and (match := GROUP.search(text)):
        group, _, choice = match.group(1).rpartition("/")
        return _about_choice(group or "config", choice, sources.choices(group), sources)
    if NULL_GROUP in text:
        return _about_group(overrides, sources)
    if explained := _about_value(text, overrides, sources):
        return explained
    if match := TWICE.search(text):
        return _about_second_choice(match.group(1), match.group(2), overrides)
    lines = dict.fromkeys(line for line in text.splitlines() if line.strip() and not FRAME.match(line))
    return (f"{_full_key(text)}: " if _full_key(text) else "") + "\n".join(list(lines)[:5])


def _about_key(key: str, text: str, overrides: Iterable[str], sources: ConfigSources) -> str:
    if explained := explain_value(text, key, overrides):
        return explained
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
    if key.partition(".")[0] not in TOP_KEYS and not key.startswith("hydra."):
        return about_unread(key, known, sources.groups())
    parent = key.rpartition(".")[0]
    beside = ", ".join(sorted(each.rpartition(".")[2] for each in known if each.rpartition(".")[0] == parent))
    where = f"{parent} has: {beside}" if beside else "--cfg job shows all keys"
    return f"there is no key {key}; {where} (a new key is added with +{key}=VALUE)"


def _about_choice(group: str, choice: str, choices: Iterable[str], sources: ConfigSources) -> str:
    if group.startswith(OF_HYDRA):
        hint = f"{OPTUNA} adds it" if choice == "optuna" else "--info plugins lists what is installed"
        return f"Hydra has no {group}={choice}; {hint}"
    top = group.partition("/")[0]
    if top != "config" and top not in sources.groups():
        return f"there is no group {top}; {suggestion(top, sources.groups())}"
    what = {"callbacks": "callbacks file"}.get(group, group)
    # A dotted name is that of a class, which is set by another key.
    target = f" (a class is set with {group}._target_={choice})" if "." in choice else ""
    own = "" if target or sources.own or group not in OF_USERS else " (one of your own: --config-dir DIR)"
    return f"there is no {what} {choice!r}; {suggestion(choice, choices)}{target}{own}"


def _about_callback(name: str, config: DictConfig, sources: ConfigSources) -> str:
    if name in sources.choices("callbacks"):
        return f"callbacks.{name} is not on; add it with +callbacks={name}"
    key, there = f"callbacks.{name}", [f"callbacks.{each}" for each in config.get("callbacks") or {}]
    return f"there is no key {key}; {suggestion(key, there)} (a new one is added with +{key}=VALUE)"


def _about_value(text: str, overrides: Iterable[str], sources: ConfigSources) -> str:
    if INTERVAL in text:
        return f"an interval is searched by Optuna, not by a plain sweep; add hydra/sweeper=optuna ({OPTUNA})"
    match = NULL.search(text)
    key = (match.group(1) or _full_key(text)) if match else ""
    return about_null(key, sources.choices(key)) if key in GROUPS else explain_value(text, overrides=overrides)


def _about_group(overrides: Iterable[str], sources: ConfigSources) -> str:
    """Returns the message about the value of a group that is not the name of a choice."""
    pairs = [each.lstrip("+").partition("=")[::2] for each in overrides]
    wrong = [(key, value) for key, value in pairs if key in sources.groups() and NOT_A_NAME.fullmatch(value)]
    key, value = wrong[-1] if wrong else ("a group", "null")
    if value == "null":
        return about_null(key, sources.choices(key) if key in GROUPS else ())
    return f"{key} ({value}) must be the name of a choice: {', '.join(sources.choices(key))}"


def _about_null_parent(overrides: Sequence[str], sources: ConfigSources) -> str:
    """Returns the message about a key that is added below null."""
    added = [match.group(1) for match in map(ADDED.match, overrides) if match]
    for key in added:
        config = _without(key, overrides, sources)
        parents = [key[: match.start()] for match in re.finditer(r"\.", key)]
        if parent := next((each for each in parents if OmegaConf.select(config, each, default="") is None), ""):
            name = key.removeprefix(f"{parent}.")
            return f"{parent} is null, so that {name} cannot be added to it; set it whole: '{parent}={{{name}: VALUE}}'"
    return "a key cannot be added below a value that is null"


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
        except (HydraException, OmegaConfBaseException, AssertionError, ValueError):
            continue
    return OmegaConf.create({})


def _keys(node: DictConfig, prefix: str) -> Iterable[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = None if OmegaConf.is_missing(node, key) else node[key]
        if isinstance(child, DictConfig):
            yield from _keys(child, f"{prefix}{key}.")


def _parameters_beside(key: str, config: DictConfig) -> list[str]:
    """Returns the keys that the signature of the node's ``_target_`` accepts beside a key, and those of a part."""
    parent = key.rpartition(".")[0]
    own = [f"{parent}.{name}" for name in OWN_KEYS] if IN_PART.fullmatch(key) else []
    node = OmegaConf.select(config, parent) if parent else None
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    return own + ([f"{parent}.{name}" for name in cheap_parameters(target)] if isinstance(target, str) else [])


def _chain(error: BaseException | None) -> list[BaseException]:
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__
    return chain


def _full_key(text: str) -> str:
    match = FULL_KEY.search(text)
    return match.group(1) if match else ""


def _known(wrong: str, overrides: Iterable[str], sources: ConfigSources) -> list[str]:
    """Returns the keys of the config without the overrides of a wrong key, and those of the schema."""
    sections = [f"{section}.{name}" for section, names in SECTIONS.items() for name in names]
    return list(dict.fromkeys([*_keys(_without(wrong, overrides, sources), ""), *TOP_KEYS, *sections]))


def _chosen(overrides: Iterable[str]) -> list[str]:
    """Returns the names of the groups that the overrides add."""
    return [match.group(1) for match in map(ADDED_GROUP.match, overrides) if match]
