"""Nodes with another ``_target_``, which replace the node that is there instead of being merged with it.

Hydra merges mappings key by key, so the arguments of one class would reach another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra._internal import hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from trainer.config.allowed_targets import check_hydra

TARGET = "_target_"
MISSING = "???"


class ReplacingConfigLoader(ConfigLoaderImpl):
    """Loader of configs for Hydra in which a node with another ``_target_`` replaces the one before it."""

    def _compose_config_from_defaults_list(self, defaults: list[Any], repo: Any) -> DictConfig:
        layers = [self._load_single_config(default=each, repo=repo).config for each in defaults]
        expected = _layered(OmegaConf.to_container(each, resolve=False) for each in layers)
        config: DictConfig = super()._compose_config_from_defaults_list(defaults, repo)
        if "hydra" in config:
            check_hydra(OmegaConf.to_container(config.hydra, resolve=False))
        _drop_others(config, expected)
        return config


OF_HYDRA = ConfigLoaderImpl._apply_overrides_to_config
"""Hydra's own function, which its loader calls by the name of the class."""


def install() -> None:
    """Makes Hydra compose configs and apply overrides so that nodes with another target are replaced."""
    # By name: type checkers do not know these as names of Hydra.
    setattr(hydra_main, "ConfigLoaderImpl", ReplacingConfigLoader)  # noqa: B010
    setattr(ConfigLoaderImpl, "_apply_overrides_to_config", staticmethod(apply_overrides))  # noqa: B010


def apply_overrides(overrides: Sequence[Override], config: DictConfig) -> None:
    """Applies the overrides of a command line, those that name a target first.

    Args:
        overrides: Overrides of values.
        config: Composed config, which is changed.
    """
    replaced = [key for each in _outer_first(overrides) if (key := _replace(each, config)) is not None]
    left = [each for each in overrides if not any(_is_met(each, key, config) for key in replaced)]
    OF_HYDRA(left, config)


def merged(old: Any, new: Any) -> Any:
    """Returns plain configs merged as Hydra does it, but for a node with another target.

    Args:
        old: Value that is there.
        new: Value that is merged into it.

    Example:
        >>> merged({"_target_": "a.Sgd", "rate": 1, "momentum": 0}, {"rate": 2})
        {'_target_': 'a.Sgd', 'rate': 2, 'momentum': 0}
        >>> merged({"_target_": "a.Sgd", "rate": 1, "momentum": 0}, {"_target_": "a.Adam", "beta": 2})
        {'_target_': 'a.Adam', 'beta': 2}
    """
    if not isinstance(old, Mapping) or not isinstance(new, Mapping) or _is_other(old.get(TARGET), new.get(TARGET)):
        return new
    return {**old, **{key: merged(old[key], value) if key in old else value for key, value in new.items()}}


def _layered(layers: Iterable[Any]) -> Any:
    result: Any = {}
    for layer in layers:
        result = merged(result, layer)
    return result


def _is_other(old: Any, new: Any) -> bool:
    """Returns whether a target takes the place of another one; one that is yet to be set is none."""
    return old not in (None, MISSING) and new not in (None, MISSING) and old != new


def _drop_others(config: DictConfig, expected: Any) -> None:
    """Deletes the keys of nodes that a layered config does not have."""
    if config._is_none() or config._is_missing() or not isinstance(expected, Mapping):
        return
    for key in list(config.keys()):
        if TARGET in expected and key not in expected:
            with open_dict(config):
                del config[key]
        elif isinstance(node := config._get_node(key), DictConfig) and not node._is_interpolation():
            _drop_others(node, expected.get(key))


def _outer_first(overrides: Sequence[Override]) -> list[Override]:
    return sorted(overrides, key=lambda each: str(each.key_or_group).count("."))


def _replace(override: Override, config: DictConfig) -> str | None:
    """Empties the node of which an override names another target, and returns its key; None for any other override."""
    key, value = str(override.key_or_group), None if override.is_delete() else override.value()
    if override.is_delete() or override.package is not None:
        return None
    if key.endswith(f".{TARGET}"):
        key, target = key.removesuffix(f".{TARGET}"), value
    else:
        target = value.get(TARGET) if isinstance(value, Mapping) else None
    node = OmegaConf.select(config, key, throw_on_missing=False)
    if not isinstance(node, DictConfig) or not isinstance(target, str):
        return None
    before = OmegaConf.to_container(node, resolve=False)
    if not isinstance(before, Mapping) or not _is_other(before.get(TARGET), target):
        return None
    with open_dict(node):
        for each in list(node.keys()):
            del node[each]
        node[TARGET] = target
    if isinstance(value, Mapping):
        OmegaConf.update(config, key, value, merge=True, force_add=True)
    return key


def _is_met(override: Override, replaced: str, config: DictConfig) -> bool:
    """Carries out an override of a key that a replaced node has no more; returns False for all others.

    The key was one of the node before, or is one of the new target; either is right without a plus.
    """
    key = str(override.key_or_group)
    parent, _, name = key.rpartition(".")
    if not f"{key}.".startswith(f"{replaced}.") or key == replaced or override.is_add():
        return False
    node = OmegaConf.select(config, parent, throw_on_missing=False)
    if not isinstance(node, DictConfig) or name in node:
        return False
    if not override.is_delete():
        OmegaConf.update(config, key, override.value(), merge=True, force_add=True)
    return True
