"""Choices that compose without an error but are surely not intended, or silently drop callbacks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from trainer.config.callback_forms import check_choice_of_callbacks, dropped_by_choice
from trainer.config.dotted import flat
from trainer.config.near_keys import ADDED, check_added_keys
from trainer.config.unread_keys import about_unread, check_keys, unread_keys
from trainer.errors import RequestError
from trainer.files import local_path

log = logging.getLogger(__name__)

CHOICE = "callbacks="
EMPTY = re.compile(r"\+{0,2}([\w.]+)=\{\s*\}")


def check_choices(config: DictConfig) -> None:
    """Refuses mistakes that compose, and logs the callbacks that a choice on the command line drops.

    Args:
        config: Composed config of the job that Hydra has started.

    Raises:
        RequestError: Nothing reads a key, an added key exists in another spelling, an empty mapping is merged, or a
            single callback replaces all others.
    """
    typed = typed_words(HydraConfig.get().overrides.task)
    plain: Any = OmegaConf.to_container(config)
    check_keys(plain, _groups(), HydraConfig.get().runtime.choices)
    _check_empty(typed, config)
    check_added_keys(config, typed)
    choice = HydraConfig.get().runtime.choices.get("callbacks")  # None for a list
    on_the_line = [each for each in typed if each.startswith(CHOICE)]
    if config.callbacks is None or not (on_the_line or choice not in (None, "default")):
        return
    callbacks: Any = OmegaConf.to_container(config.callbacks)
    before = _callbacks_without_choice(typed if on_the_line else [])
    check_choice_of_callbacks(choice, callbacks, before)
    if on_the_line and (dropped := dropped_by_choice(before, callbacks)):
        hint = "'+callbacks=NAME' adds to that choice"
        log.warning("%s leaves out %s of the experiment's own choice; %s", on_the_line[0], ", ".join(dropped), hint)


def check_sweep(config: DictConfig, typed: Iterable[str], groups: Sequence[str]) -> None:
    """Refuses a sweep for what is wrong in all of its jobs, before Hydra makes the directory of the sweep.

    Args:
        config: Composed config of the first job, with Hydra's own part.
        typed: Overrides as typed.
        groups: Names of all groups, for close matches.

    Raises:
        RequestError: The runs would be on another machine, nothing reads a key that is added, or the sweeper searches
            for the other end of the metric.
    """
    local_path(config.run.root, "run.root")
    check_direction(config.sweep.mode, config.hydra.sweeper)
    plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    added = {match.group(1) for match in map(ADDED.match, typed) if match}
    for key in unread_keys(plain):
        if added & {key, key.partition(".")[0]}:
            raise RequestError(about_unread(key, list(flat(plain)), groups))


def check_direction(mode: str, sweeper: Mapping[str, Any]) -> None:
    """Checks that a sweeper that searches looks for the same end of the metric as the jobs return.

    Args:
        mode: ``last``, ``min`` or ``max``.
        sweeper: Hydra's config of the sweeper; only those that search have a ``direction``.

    Raises:
        RequestError: One is the lowest and the other the highest.

    Example:
        >>> check_direction("max", {"direction": "minimize"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: sweep.mode=max and hydra.sweeper.direction=minimize contradict each other; ...
    """
    direction = str(sweeper.get("direction", "")).rpartition(".")[2]
    wanted = {"min": "minimize", "max": "maximize"}.get(mode, direction)
    if direction in ("minimize", "maximize") and direction != wanted:
        raise RequestError(
            f"sweep.mode={mode} and hydra.sweeper.direction={direction} contradict each other; set "
            f"hydra.sweeper.direction={wanted}"
        )


def typed_words(overrides: Sequence[str]) -> list[str]:
    """Returns overrides as they were typed; Hydra's own list resolves the interpolations in them."""
    words: Any = OmegaConf.to_container(overrides, resolve=False)
    return list(words)


def _groups() -> list[str]:
    """Returns the names of the groups in all directories of configs."""
    folders = [Path(each.path) for each in HydraConfig.get().runtime.config_sources if each.schema == "file"]
    return sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()})


def _check_empty(typed: Iterable[str], config: DictConfig) -> None:
    """Refuses ``KEY={}``, which Hydra merges, so that it changes nothing."""
    for match in filter(None, map(EMPTY.fullmatch, typed)):
        key = match.group(1)
        if OmegaConf.select(config, key):
            hint = (
                "'callbacks=[]' leaves all out"
                if key == "callbacks"
                else f"to change a value, name its key: {key}.KEY=VALUE"
            )
            raise RequestError(f"{key}={{}} changes nothing, as a mapping is merged with the one that is there; {hint}")


def _callbacks_without_choice(typed: list[str]) -> list[str]:
    """Returns the names of the experiment's own callbacks, except those deleted by name."""
    hydra = HydraConfig.get()
    others = [each for each in typed if not each.lstrip("+~").startswith("callbacks")]
    config = compose(hydra.job.config_name, overrides=[*hydra.overrides.hydra, *others])
    deleted = {each.removeprefix("~callbacks.") for each in typed}
    return [str(name) for name in config.callbacks or {} if name not in deleted]
