"""What Hydra and OmegaConf refuse, said in a person's words with close matches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.checks import close_matches, suggestion

KEY = re.compile(r"Could not override '([^']+)'|Could not delete from config\. '([^']+)'")
APPEND = re.compile(r"Could not append to config\. An item is already at '([^']+)'")
VALUE = re.compile(r"Value '([^']*)'(?: of type '\w+')? could not be converted to (\w+)")
GROUP = re.compile(r"Could not find '([^']+)'")


def explain(error: Exception, overrides: Iterable[str], conf: Path) -> str:
    """Returns what is wrong with the request, in a few lines.

    Args:
        error: of Hydra or OmegaConf, raised while the config was composed.
        overrides: as typed.
        conf: the directory of the config, to find close matches in.
    """
    chain = _chain(error)
    text = "\n".join(str(each) for each in chain)
    if match := KEY.search(text):
        return _about_key(match.group(1) or match.group(2), text, overrides, conf)
    if match := APPEND.search(text):
        return f"{match.group(1)} is in the config already; set it without the + ({match.group(1)}=VALUE)"
    missing = next((each for each in chain if isinstance(each, MissingConfigException)), None)
    if missing is not None and missing.missing_cfg_file:
        group, _, choice = missing.missing_cfg_file.rpartition("/")
        return f"there is no {group} {choice!r}; {suggestion(choice, missing.options or [])}"
    if "Could not find" in text and (match := GROUP.search(text)):
        group, _, choice = match.group(1).rpartition("/")
        return f"there is no {group or 'config'} {choice!r}; {suggestion(choice, _choices(conf, group))}"
    if match := VALUE.search(text):
        return f"{_full_key(text)} ({match.group(1)!r}) must be {_kind(match.group(2))}"
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(dict.fromkeys(lines[:5]))


def _about_key(key: str, text: str, overrides: Iterable[str], conf: Path) -> str:
    if "could not be converted" in text and (match := VALUE.search(text)):
        return f"{key} ({match.group(1)!r}) must be {_kind(match.group(2))}"
    known = _known_keys(key, overrides, conf)
    group, _, name = key.rpartition(".")[0].partition(".")
    if group == "callbacks" and f"callbacks.{name}" not in known and (conf / "callbacks" / f"{name}.yaml").is_file():
        return f"callbacks.{name} is not on; add it with +callbacks@callbacks.{name}={name}"
    same_parent = [each for each in known if each.rpartition(".")[0] == key.rpartition(".")[0]]
    near = close_matches(key, same_parent) or close_matches(key, known)
    if near:
        return f"there is no key {key}; did you mean {' or '.join(near)}?"
    parent = key.rpartition(".")[0]
    beside = ", ".join(sorted(each.rpartition(".")[2] for each in same_parent))
    where = f"{parent} has: {beside}" if beside else "python -m trainer --cfg job shows all keys"
    return f"there is no key {key}; {where} (a new key is added with +{key}=VALUE)"


def _known_keys(wrong: str, overrides: Iterable[str], conf: Path) -> list[str]:
    """Returns the keys of the config without the overrides of the wrong key."""
    others = [each for each in overrides if re.split("[=@]", each.lstrip("+~"))[0] != wrong]
    for attempt in (others, [each for each in others if each.lstrip("+").startswith("experiment=")]):
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(str(conf), version_base="1.3"):
                return list(_keys(compose("train", overrides=attempt), ""))
        except (HydraException, OmegaConfBaseException):
            continue
    return []


def _keys(node: DictConfig, prefix: str) -> Iterable[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = None if OmegaConf.is_missing(node, key) else node[key]
        if isinstance(child, DictConfig):
            yield from _keys(child, f"{prefix}{key}.")


def _choices(conf: Path, group: str) -> list[str]:
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


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
