"""Which variables are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError

v1 = tf.compat.v1


def trained_variables(model: Any) -> list[Any]:
    """Returns the trainable variables of the default graph without those of frozen Keras layers.

    ``layer.trainable = False`` is known to Keras alone: the variable stays in the graph's collection.

    Raises:
        RequestError: there is none.
    """
    frozen = set()
    for layer in _layers(model, set()):
        trainable = {id(variable) for variable in layer.trainable_variables}
        frozen |= {variable.value.ref() for variable in layer.variables if id(variable) not in trainable}
    trained = [variable for variable in v1.trainable_variables() if variable.ref() not in frozen]
    if not trained:
        raise RequestError(
            f"{type(model).__name__} made no variable that is trained; make layers and variables in the constructor"
        )
    return trained


def _layers(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yields the outermost Keras layers that an object holds, in attributes and containers."""
    if id(value) in seen or isinstance(value, str | bytes | int | float | tf.Tensor | tf.Variable):
        return
    seen.add(id(value))
    if isinstance(value, keras.Layer):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _layers(each, seen)
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from _layers(each, seen)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from _layers(vars(value), seen)
