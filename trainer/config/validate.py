"""Checks of a composed config beyond its types; no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.checks import (
    check_choice,
    check_int,
    check_names,
    check_number,
    check_optional_choice,
    check_optional_int,
)
from trainer.config.callback_forms import check_callback_nodes
from trainer.config.optimizer_parts import check_parts
from trainer.errors import RequestError
from trainer.files import local_path
from trainer.runs.settings import Settings, check_seed
from trainer.runs.stored_config import renamed_keys_in
from trainer.state import COMPILE_SETTINGS, PRECISIONS
from trainer.tensorflow_import import SessionSettings
from trainer.warm_start import WarmStart

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def validate(config: DictConfig, experiment: str | None) -> Settings:
    """Checks the config and returns the values that are not nodes.

    Args:
        config: Composed config.
        experiment: Name of the chosen experiment, the default name of the run; None if none is chosen.

    Raises:
        RequestError: A value is out of range, or a node has no ``_target_``.
    """
    try:
        _check_nodes(config)
        return _settings(config, experiment)
    except (ValueError, TypeError) as error:
        if isinstance(error, RequestError | OmegaConfBaseException):
            raise
        raise RequestError(str(error)) from error


def _settings(config: DictConfig, experiment: str | None) -> Settings:
    loop = config.loop
    if OmegaConf.is_missing(loop, "epochs"):
        raise RequestError("loop.epochs is not set; add loop.epochs=N")
    steps_per_call = None if loop.steps_per_call == "auto" else loop.steps_per_call
    if isinstance(steps_per_call, str):
        raise RequestError(f"loop.steps_per_call ({steps_per_call!r}) must be auto or a whole number of at least 1")
    return Settings(
        root=local_path(config.run.root, "run.root"),
        name=_name((experiment or "run").replace("/", "-") if config.run.name is None else config.run.name),
        run_dir=local_path(config.run.dir, "run.dir") if config.run.dir is not None else None,
        resume=str(local_path(config.resume, "resume")),
        may_change=check_choice("resume_changes", config.resume_changes, ("refuse", "allow")) == "allow",
        warm_start=_warm_start(config.warm_start),
        trainable=None if config.trainable is None else check_names("trainable", config.trainable),
        seed=check_seed(config.seed),
        epochs=check_int("loop.epochs", loop.epochs, minimum=1),
        steps_per_epoch=check_optional_int("loop.steps_per_epoch", loop.steps_per_epoch, minimum=1),
        steps_per_call=check_optional_int("loop.steps_per_call", steps_per_call, minimum=1),
        # YAML reads an unquoted off as false.
        compile=check_choice(
            "loop.compile", "off" if loop.compile in (False, "False") else loop.compile, COMPILE_SETTINGS
        ),
        session=SessionSettings(**_plain_session(config)),
        log_every_n_steps=check_optional_int("loop.log_every_n_steps", loop.log_every_n_steps, minimum=1),
        precision=check_optional_choice("precision", config.precision, PRECISIONS),
    )


def _plain_session(config: DictConfig) -> Any:
    return OmegaConf.to_container(config.session, resolve=True)


def _warm_start(node: DictConfig | None) -> WarmStart | None:
    given: Any = {} if node is None else OmegaConf.to_container(node, resolve=True)
    if given.get("path") is not None:
        return WarmStart(local_path(given["path"], "warm_start.path"), given["variables"], given["exclude"])
    useless = [key for key in ("variables", "exclude") if given.get(key)]
    if useless:
        raise RequestError(
            f"warm_start.{useless[0]} is given and warm_start.path is not; add warm_start.path=PATH, or warm_start=null"
        )
    return None


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise RequestError(
            f"run.name ({name!r}) names a directory: letters, digits, '.', '_' and '-', not beginning with '.' or '-'"
        )
    return name


def _check_nodes(config: DictConfig) -> None:
    for group in ("model", "data", "optimizer"):
        if OmegaConf.is_missing(config, group):
            raise RequestError(f"no {group} is chosen; choose an experiment (+experiment=NAME) or {group}=NAME")
        if config[group] is None:
            raise RequestError(f"no {group} is chosen; choose an experiment (+experiment=NAME) or {group}=NAME")
        _check_target(group, config[group])
    check_choice("sweep.mode", config.sweep.mode, ("last", "min", "max"))
    check_callback_nodes(None if config.callbacks is None else OmegaConf.to_container(config.callbacks))
    for name, node in config.callbacks.items():
        _check_target(f"callbacks.{name}", node)
    plain: Any = OmegaConf.to_container(config)
    for old, new in renamed_keys_in(plain).items():
        raise RequestError(f"there is no key {old}; it is {new} now")
    _check_missing(config)
    if "batch_size" in config.data:
        check_int("data.batch_size", config.data.batch_size, minimum=1)
    check_parts(cast("dict[str, Any]", OmegaConf.to_container(config.optimizer, resolve=True)))
    rate = config.optimizer.get("learning_rate")
    if isinstance(rate, Mapping | DictConfig):
        _check_target("optimizer.learning_rate", rate)
    elif rate is not None:
        check_number("optimizer.learning_rate", rate, above=0)


def _check_target(key: str, node: Any) -> None:
    if not isinstance(node, Mapping | DictConfig):
        raise RequestError(f"{key} ({node!r}) must be a node with a _target_, such as {{_target_: module.Class}}")
    target = None if OmegaConf.is_missing(node, "_target_") else node.get("_target_")
    if not isinstance(target, str) or "." not in target:
        raise RequestError(
            f"{key} has no _target_ (the dotted name of a class or function); add {key}._target_=module.Class"
        )


def _check_missing(config: DictConfig) -> None:
    missing = sorted(key for key in OmegaConf.missing_keys(config) if not key.startswith("loop."))
    if missing:
        raise RequestError(f"{', '.join(missing)} must be set; add {missing[0]}=VALUE")
