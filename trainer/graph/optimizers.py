"""One face for the two families of optimizers: Keras 3's and ``tf.compat.v1.train``'s."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError

v1 = tf.compat.v1

Apply = Callable[[Sequence[Any], Sequence[Any]], None]
"""Applies gradients to variables; call it inside a ``tf.function``."""


def applier(optimizer: Any, variables: Sequence[Any]) -> Apply:
    """Returns what applies gradients with the optimizer; makes its slots in the default graph.

    Args:
        optimizer: of Keras 3 or of ``tf.compat.v1.train``.
        variables: all that it will update.

    Raises:
        RequestError: it is neither.
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer.build(variables)
        return optimizer.apply  # type: ignore[no-any-return]
    if isinstance(optimizer, v1.train.Optimizer):

        def apply(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

        return apply
    raise RequestError(
        f"optimizer is a {type(optimizer).__name__}; it must be an optimizer of Keras (keras.optimizers.Adam) or of "
        "graph mode (tensorflow.compat.v1.train.AdamOptimizer)",
        argument="optimizer",
    )


def rate_variable(optimizer: Any) -> Any:
    """Returns the variable of a constant learning rate, which Keras saves with the others, or None."""
    rate = getattr(optimizer, "learning_rate", None)
    return rate.value if isinstance(rate, keras.Variable) else None


def rate_of_step(schedule: Any, global_step: Any, scale: Any = None) -> Any:
    """Returns a learning rate that a graph-mode optimizer evaluates anew in each step.

    Such an optimizer takes a function without arguments; a tensor would be computed once for each
    call into the graph, however many steps the call runs.

    Args:
        schedule: a number, a Keras schedule, or a function of ``tf.compat.v1.train`` such as
            ``exponential_decay`` that still lacks its ``global_step``.
        global_step: the variable.
        scale: float32 variable that multiplies the rate, or None.
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
    """A learning rate, constant or scheduled, times a variable.

    Args:
        rate: a number or a Keras schedule.
        scale: float32 scalar variable.
    """

    def __init__(self, rate: Any, scale: Any) -> None:
        self._rate = rate
        self._scale = scale

    def __call__(self, step: Any) -> Any:
        """Returns the rate at a step, float32 scalar."""
        rate = self._rate(step) if callable(self._rate) else self._rate
        return rate * self._scale.read_value()
