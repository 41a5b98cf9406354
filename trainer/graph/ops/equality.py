"""Comparison of tensors by value while a graph is built, as TensorFlow 2 compares them everywhere else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

OPERATORS = {"__eq__": tf.raw_ops.Equal, "__ne__": tf.raw_ops.NotEqual}


@contextlib.contextmanager
def compared_by_value() -> Iterator[None]:
    """Lets ``==`` and ``!=`` compare the values of tensors and variables inside the block.

    In a graph of ``tf.compat.v1``, TensorFlow compares objects instead: ``prediction == label`` is False,
    and so is each condition of that form in a model, in Keras's optimizers and in their options.

    Example:
        >>> with tf.Graph().as_default():
        ...     x = tf.constant([1, 2])
        ...     with compared_by_value():
        ...         by_value = x == 1
        >>> by_value.dtype.name, x == 1
        ('bool', False)
    """
    before = [(kind, name, kind.__dict__[name]) for kind in (tf.Tensor, tf.Variable) for name in OPERATORS]
    for kind, name, of_objects in before:
        setattr(kind, name, _comparison(name, of_objects))
    try:
        yield
    finally:
        for kind, name, of_objects in before:
            setattr(kind, name, of_objects)


def _comparison(name: str, of_objects: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        # TensorFlow's own code looks for objects where it builds a graph.
        if other is None or sys._getframe(1).f_globals.get("__name__", "").startswith("tensorflow."):
            return of_objects(self, other)
        value = tf.convert_to_tensor(self)
        return OPERATORS[name](
            x=value, y=tf.convert_to_tensor(other, dtype=value.dtype), incompatible_shape_error=False
        )

    return compare
