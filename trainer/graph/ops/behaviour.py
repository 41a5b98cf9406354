"""Behaviour of TensorFlow 2 in a process whose modules ask for that of TensorFlow 1."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

v1 = tf.compat.v1


def behave_as_tensorflow_2() -> None:
    """Undoes ``tf.compat.v1.disable_v2_behavior()`` of a user's module, which holds for the whole process.

    Example:
        >>> v1.disable_resource_variables()
        >>> v1.disable_v2_tensorshape()
        >>> behave_as_tensorflow_2()
        >>> v1.resource_variables_enabled(), tf.TensorShape([2])[0]
        (True, 2)
    """
    v1.enable_resource_variables()
    v1.enable_tensor_equality()
    v1.enable_control_flow_v2()
    v1.enable_v2_tensorshape()


@contextlib.contextmanager
def sizes_as_in_tensorflow_1() -> Iterator[None]:
    """Lets the sizes of shapes be objects with an attribute ``value`` inside the block.

    Example:
        >>> with sizes_as_in_tensorflow_1():
        ...     tf.TensorShape([2])[0].value
        2
    """
    v1.disable_v2_tensorshape()
    try:
        yield
    finally:
        v1.enable_v2_tensorshape()


def needs_such_sizes(error: BaseException | None) -> bool:
    """Returns whether code has failed because a size of a shape is a number and has no attribute ``value``."""
    return isinstance(error, AttributeError) and error.name == "value" and isinstance(error.obj, int | None)
