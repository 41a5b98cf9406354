"""Optimizers as a user gives them, made anew while the graph is open."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import suggestion
from trainer.errors import RequestError, describe
from trainer.graph.optimizers.learning_rates import rate_of_step
from trainer.graph.optimizers.optimizer_parts import Optimizers

v1 = tf.compat.v1

EXPECTED = (
    "it must be a name such as 'adam', a Keras optimizer, an optimizer of tensorflow.compat.v1.train, or a function "
    "without arguments that makes one; trainer.Optimizers has one for each part of the variables"
)


def maker_of_optimizer(given: Any) -> tuple[Callable[[Any, Any], Any], bool]:
    """Returns a function of global step and scale of the rate that makes the optimizer, and whether it uses the scale.

    Args:
        given: Name, Keras optimizer, optimizer of ``tf.compat.v1.train``, class or function that makes one, or
            ``Optimizers`` whose parts have one of these.

    Raises:
        RequestError: The value is none of these, or the optimizer cannot be made from its config.

    Example:
        >>> make, scaled = maker_of_optimizer("sgd")
        >>> make(None, None).name, scaled
        ('SGD', True)
        >>> maker_of_optimizer("sdg")
        Traceback (most recent call last):
        trainer.errors.RequestError: optimizer ('sdg') is not the name of a Keras optimizer; did you mean sgd?
    """
    if isinstance(given, str):
        given = _by_name(given)
    if isinstance(given, keras.optimizers.Optimizer):
        return _from_config(given)
    if isinstance(given, v1.train.Optimizer):
        # Slots belong to one graph.
        return lambda _step, _scale: copy.copy(given), False
    if isinstance(given, Optimizers):
        return _of_parts(given)
    if callable(given):
        return _from_function(given), False
    raise RequestError(f"optimizer is a {type(given).__name__}; {EXPECTED}", argument="optimizer")


def describe_optimizer(given: Any) -> Any:
    """Returns what a resume compares: the config of a Keras optimizer, or the name of a class or function."""
    if isinstance(given, str):
        return given.lower()
    if isinstance(given, keras.optimizers.Optimizer):
        config = {name: value for name, value in given.get_config().items() if value is not None}
        return {"class": type(given).__name__, **_plain(config)}
    if isinstance(given, Optimizers):
        parts = {
            name: {**_plain(vars(part)), "optimizer": describe_optimizer(part.optimizer)}
            for name, part in given.parts.items()
        }
        return {"parts": parts, "in_turn": list(given.parts) if given.in_turn else None}
    return getattr(given, "__qualname__", type(given).__qualname__)


def _by_name(name: str) -> Any:
    try:
        return keras.optimizers.get(name)
    except ValueError as error:
        known = [
            each.lower()
            for each, kind in vars(keras.optimizers).items()
            if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer) and each != "Optimizer"
        ]
        hint = suggestion(name.lower(), known)
        raise RequestError(
            f"optimizer ({name!r}) is not the name of a Keras optimizer; {hint}", argument="optimizer"
        ) from error


def _from_config(given: Any) -> tuple[Callable[[Any, Any], Any], bool]:
    """Returns the maker of a copy, since the variables of an optimizer that was used before belong to no graph."""
    try:
        config = given.get_config()
        rate = config.get("learning_rate")
        schedule = keras.optimizers.schedules.deserialize(rate, {}) if isinstance(rate, dict) else rate
    except Exception as error:
        raise RequestError(
            f"the optimizer {type(given).__name__} has no config from which it can be made again in the graph "
            f"({describe(error)}); give a function that makes it: optimizer=lambda: {type(given).__name__}(...)",
            argument="optimizer",
        ) from error
    if schedule is None:
        return lambda _step, _scale: type(given).from_config(config), False

    def make(global_step: Any, scale: Any) -> Any:
        # A schedule is used as the object that was given: it may be of a class that no registry knows.
        used = given_schedule(given) or schedule
        return type(given).from_config({**config, "learning_rate": rate_of_step(used, global_step, scale)})

    return make, True


def _of_parts(given: Optimizers) -> tuple[Callable[[Any, Any], Any], bool]:
    makers = {name: maker_of_optimizer(part.optimizer) for name, part in sorted(given.parts.items())}

    def make(global_step: Any, scale: Any) -> Any:
        made = {name: maker(global_step, scale) for name, (maker, _) in makers.items()}
        parts = {name: replace(part, optimizer=made[name]) for name, part in given.parts.items()}
        return Optimizers(parts, list(parts) if given.in_turn else None)

    return make, all(is_scaled for _, is_scaled in makers.values())


def given_schedule(optimizer: Any) -> Any:
    """Returns the schedule of a Keras optimizer's learning rate, or None where the rate is constant."""
    schedule = getattr(optimizer, "_learning_rate", None)
    return schedule if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule) else None


def _from_function(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    try:
        parameters = dict(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        parameters = {}
    required = [
        each.name
        for each in parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if others := [name for name in required if name != "global_step"]:
        what = getattr(function, "__name__", type(function).__name__)
        raise RequestError(
            f"optimizer: {what} needs {', '.join(others)}; give a function without arguments, such as "
            f"lambda: {what}({others[0]}=...)",
            argument="optimizer",
        )
    takes_step = "global_step" in parameters
    return lambda step, _scale: function(global_step=step) if takes_step else function()


def _plain(value: Any) -> Any:
    """Returns JSON-like data: numbers of NumPy become numbers, anything else text."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__
