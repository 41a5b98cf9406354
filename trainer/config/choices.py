"""Choices that compose without an error but are surely not intended, or silently drop callbacks."""

from __future__ import annotations

import logging
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from trainer.config.callback_forms import check_choice_of_callbacks, dropped_by_choice
from trainer.config.near_keys import check_added_keys

log = logging.getLogger(__name__)

CHOICE = "callbacks="


def check_choices(config: DictConfig) -> None:
    """Refuses mistakes that compose, and logs the callbacks that a choice on the command line drops.

    Args:
        config: Composed config of the job that Hydra has started.

    Raises:
        RequestError: An added key exists in another spelling, or a single callback replaces all others.
    """
    typed = list(HydraConfig.get().overrides.task)
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


def _callbacks_without_choice(typed: list[str]) -> list[str]:
    """Returns the names of the experiment's own callbacks, except those deleted by name."""
    hydra = HydraConfig.get()
    others = [each for each in typed if not each.lstrip("+~").startswith("callbacks")]
    config = compose(hydra.job.config_name, overrides=[*hydra.overrides.hydra, *others])
    deleted = {each.removeprefix("~callbacks.") for each in typed}
    return [str(name) for name in config.callbacks or {} if name not in deleted]
