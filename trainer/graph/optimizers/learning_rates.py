"""Learning rates that an optimizer evaluates in each step, with a scale that rollbacks lower."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import tensorflow as tf

VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def rate_of_step(schedule: Any, global_step: Any, scale: Any = None) -> Any:
    """Returns a learning rate for an optimizer of Keras or of ``tf.compat.v1.train``.

    A tensor would be computed once per call into the graph, not once per step.

    Args:
        schedule: Number, Keras schedule, function without arguments, or function of
            ``tf.compat.v1.train`` such as ``exponential_decay`` without its ``global_step``.
        global_step: Variable of the number of updates, int64 scalar.
        scale: Variable that multiplies the rate, float32 scalar, or None.
    """
    if scale is None and not callable(schedule):
        return schedule
    return StepRate(schedule, global_step, scale)


class StepRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc] # Keras has no types
    """Learning rate of the current step: a schedule to Keras, a function without arguments to other optimizers.

    Args:
        schedule: Number, schedule or function, as for ``rate_of_step``.
        global_step: Variable of the number of updates, int64 scalar.
        scale: Variable that multiplies the rate, float32 scalar, or None.
    """

    def __init__(self, schedule: Any, global_step: Any, scale: Any) -> None:
        self._schedule = schedule
        self._global_step = global_step
        self._scale = scale

    def __call__(self, step: Any = None) -> Any:
        """Returns the rate, float32 scalar.

        Args:
            step: Steps that a Keras optimizer counts, which a Keras schedule takes; None for the global step.
        """
        value = self._value(step)
        return value if self._scale is None else value * self._scale.read_value()

    def _value(self, step: Any) -> Any:
        schedule = self._schedule
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return schedule(self._global_step.read_value() if step is None else step)
        if not callable(schedule):
            return schedule
        name = step_argument(schedule)
        value = schedule(**{name: self._global_step.read_value()}) if name else schedule()
        return value() if callable(value) else value


def _as_tensor(rate: StepRate, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    """Returns the rate of the step that is being built, for optimizers that convert it and never call it."""
    if as_ref:
        return NotImplemented
    value = tf.cast(rate(), dtype or tf.float32)
    return value if name is None else tf.identity(value, name=name)


# FtrlOptimizer, AdagradDAOptimizer and the proximal ones take a tensor, and would take one of before the steps.
tf.register_tensor_conversion_function(StepRate, _as_tensor)


def step_argument(schedule: Any) -> str | None:
    """Returns the name of the argument in which a function takes the step, or None for a function without one.

    Example:
        >>> step_argument(lambda global_step: 0.1), step_argument(lambda x, power=2: x**power), step_argument(lambda: 1)
        ('global_step', 'x', None)
    """
    parameters = inspect.signature(schedule).parameters
    if "global_step" in parameters:
        return "global_step"
    # Such as x of tf.compat.v1.train.piecewise_constant.
    required = [each.name for each in parameters.values() if each.default is each.empty and each.kind not in VARIABLE]
    return required[0] if required else None
