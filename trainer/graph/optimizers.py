"""Common interface to the optimizers of Keras 3 and of ``tf.compat.v1.train``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError

v1 = tf.compat.v1

Apply = Callable[[Sequence[Any], Sequence[Any]], None]
"""Applies gradients to variables; must be called inside a ``tf.function``."""


def applier(optimizer: Any, variables: Sequence[Any]) -> Apply:
    """Returns a function that applies gradients; a Keras optimizer makes its slots in the default graph.

    Args:
        optimizer: Optimizer of Keras 3 or of ``tf.compat.v1.train``.
        variables: Variables to update.

    Raises:
        RequestError: The optimizer is neither of the two.
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer.build(variables)
        return optimizer.apply  # type: ignore[no-any-return]
    if isinstance(optimizer, v1.train.Optimizer):

        def apply(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

        return apply
    raise RequestError(
        f"optimizer is a {type(optimizer).__name__}; it must be a Keras optimizer (keras.optimizers.Adam) or a "
        "graph-mode optimizer (tensorflow.compat.v1.train.AdamOptimizer)",
        argument="optimizer",
    )


def rate_variable(optimizer: Any) -> Any:
    """Returns the variable of a Keras optimizer's constant learning rate, part of each checkpoint, or None."""
    rate = getattr(optimizer, "learning_rate", None)
    return rate.value if isinstance(rate, keras.Variable) else None


def rate_of_step(schedule: Any, global_step: Any, scale: Any = None) -> Any:
    """Returns a learning rate that a graph-mode optimizer evaluates in each step.

    Such an optimizer takes a function without arguments. A tensor would be computed once per call
    into the graph, not once per step.

    Args:
        schedule: Number, Keras schedule, or function of ``tf.compat.v1.train`` such as
            ``exponential_decay`` without its ``global_step``.
        global_step: Variable of the number of updates, int64 scalar.
        scale: Variable that multiplies the rate, float32 scalar, or None.
    """

    def rate() -> Any:
        value = schedule
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            value = schedule(global_step.read_value())
        elif callable(schedule):
            value = schedule(global_step=global_step.read_value())
            value = value() if callable(value) else value
        return value if scale is None else value * scale.read_value()

    return rate if scale is not None or callable(schedule) else schedule


class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc] # Keras has no types
    """Learning rate, constant or scheduled, multiplied by a variable.

    Args:
        rate: Number or Keras schedule.
        scale: Variable that multiplies the rate, float32 scalar.
    """

    def __init__(self, rate: Any, scale: Any) -> None:
        self._rate = rate
        self._scale = scale

    def __call__(self, step: Any) -> Any:
        """Returns the rate at a step, float32 scalar."""
        rate = self._rate(step) if callable(self._rate) else self._rate
        return rate * self._scale.read_value()
