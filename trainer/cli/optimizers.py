"""Functions that make the optimizers of a config."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from trainer import graph
from trainer.checks import check_names
from trainer.config.optimizer_parts import OWN_KEYS, is_several
from trainer.config.targets import find_object
from trainer.model import NoOptimizer

EXCLUDED = "exclude_from_weight_decay"
"""Key of an optimizer that names variables; it is no argument of a constructor."""

Instantiate = Callable[..., Any]
"""Returns the object of a node, given its key, the node, and more arguments by name."""


def optimizer_maker(node: DictConfig, instantiate: Instantiate) -> Callable[[Any, Any], Any] | None:
    """Returns a function that makes the optimizer, or those of all parts, given the global step and a scale.

    It is None where the config has none, for a model that makes its own train op.

    Args:
        node: Node of the optimizer.
        instantiate: Function that makes the object of a node.
    """
    if node["_target_"] == f"{NoOptimizer.__module__}.{NoOptimizer.__name__}":
        return None
    if is_several(node):
        return lambda global_step, scale: _several(node, instantiate, global_step, scale)
    return lambda global_step, scale: _one("optimizer", node, instantiate, global_step, scale)


def rates_are_set(node: DictConfig) -> bool:
    """Returns whether each optimizer has a learning rate that a rollback can lower."""
    nodes = node.parts.values() if is_several(node) else [node]
    return all("learning_rate" in each for each in nodes)


def _several(node: DictConfig, instantiate: Instantiate, global_step: Any, scale: Any) -> Any:
    parts = {}
    # In the order of the names: names that are given by a count then do not depend on the order in the config.
    for name, part in sorted(node.parts.items()):
        settings: Any = OmegaConf.to_container(part, resolve=True)
        arguments = _without(part, OWN_KEYS)
        given = {} if "name" in part else graph.naming(find_object(str(part["_target_"])), name)
        key = f"optimizer.parts.{name}"
        optimizer = _one(key, arguments, instantiate, global_step, scale, **given)
        parts[name] = graph.OptimizerPart(optimizer, **{key: settings[key] for key in OWN_KEYS if key in settings})
    in_turn = None if node.get("in_turn") is None else list(node.in_turn)
    return graph.Optimizers(parts, in_turn)


def _one(key: str, node: DictConfig, instantiate: Instantiate, global_step: Any, scale: Any, **given: Any) -> Any:
    if "learning_rate" in node:
        rate = node.learning_rate
        if OmegaConf.is_config(rate):
            rate = instantiate(f"{key}.learning_rate", rate)
        # Keras refuses a learning rate of type int.
        given["learning_rate"] = graph.rate_of_step(float(rate) if type(rate) is int else rate, global_step, scale)
    if takes("global_step", str(node["_target_"])):
        given["global_step"] = global_step
    optimizer = instantiate(key, _without(node, [EXCLUDED]), **given)
    if EXCLUDED in node:
        names = check_names(f"{key}.{EXCLUDED}", list(node[EXCLUDED]))
        graph.exclude_from_weight_decay(optimizer, names, f"{key}.{EXCLUDED}")
    return optimizer


def _without(node: DictConfig, keys: Any) -> DictConfig:
    return OmegaConf.masked_copy(node, [str(key) for key in node if key not in keys])


def takes(argument: str, target: str) -> bool:
    """Returns whether a target has an argument without a default, which the trainer must give.

    Example:
        >>> takes("text", "textwrap.dedent"), takes("width", "textwrap.fill")
        (True, False)
    """
    try:
        parameter = inspect.signature(get_object(target)).parameters.get(argument)
    except (ImportError, ValueError, TypeError):
        return False
    return parameter is not None and parameter.default is parameter.empty
