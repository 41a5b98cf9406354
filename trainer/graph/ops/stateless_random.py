"""Random ops of graph mode replaced by ones without state, so that a resumed run draws the same numbers."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

Draw = Callable[[Sequence[Any], Any, Any], Any]


def _of_shape(raw: Callable[..., Any]) -> Draw:
    return lambda inputs, seed, op: raw(shape=inputs[0], seed=seed, dtype=op.outputs[0].dtype)


def _integers(inputs: Sequence[Any], seed: Any, op: Any) -> Any:
    del op
    shape, minval, maxval = inputs
    return tf.raw_ops.StatelessRandomUniformInt(shape=shape, seed=seed, minval=minval, maxval=maxval)


def _classes(inputs: Sequence[Any], seed: Any, op: Any) -> Any:
    logits, samples = inputs
    return tf.raw_ops.StatelessMultinomial(
        logits=logits, num_samples=samples, seed=seed, output_dtype=op.outputs[0].dtype
    )


STATELESS: Mapping[str, Draw] = {
    "Multinomial": _classes,
    "RandomStandardNormal": _of_shape(tf.raw_ops.StatelessRandomNormal),
    "RandomUniform": _of_shape(tf.raw_ops.StatelessRandomUniform),
    "RandomUniformInt": _integers,
    "TruncatedNormal": _of_shape(tf.raw_ops.StatelessTruncatedNormal),
}
"""Draws from the same distribution, by type of the op with a state."""


def drawn(op: Any, inputs: Sequence[Any], seed: Any) -> Any:
    """Returns a draw from the distribution of a random op, without state.

    Args:
        op: Op of one of the types in ``STATELESS``.
        inputs: Inputs of the draw, in place of those of the op.
        seed: Seed of the step, int32 [2]; the name of the op makes it one of the op's own.

    Example:
        >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        ...     op = tf.raw_ops.RandomUniform(shape=[3], dtype=tf.float32).op
        ...     first, again = session.run([drawn(op, op.inputs, tf.constant([0, 7])) for _ in range(2)])
        >>> bool((first == again).all())
        True
    """
    own = zlib.crc32(op.name.encode()) & 0x7FFFFFFF
    return STATELESS[op.type](inputs, tf.random.experimental.stateless_fold_in(seed, own), op)
