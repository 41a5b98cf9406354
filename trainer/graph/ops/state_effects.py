"""Effects of ops on the value of a variable, computed with tensors: what a read gives, what a change leaves."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

v1 = tf.compat.v1

READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "RngReadAndSkip"})

WHOLE_CHANGES = {"AssignAddVariableOp": tf.add, "AssignSubVariableOp": tf.subtract}
SCATTERED_CHANGES = {
    "ResourceScatterNdAdd": tf.tensor_scatter_nd_add,
    "ResourceScatterNdSub": tf.tensor_scatter_nd_sub,
    "ResourceScatterNdUpdate": tf.tensor_scatter_nd_update,
}
ROW_CHANGES = {
    "ResourceScatterAdd": tf.tensor_scatter_nd_add,
    "ResourceScatterSub": tf.tensor_scatter_nd_sub,
    "ResourceScatterUpdate": tf.tensor_scatter_nd_update,
}
"""Functions on values that do what an op does to a variable."""

SLICE_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")

PHILOX_STATE = 3
"""Size of the state of a ``tf.random.Generator`` with its default algorithm."""


def value_read(op: Any, value: Any) -> Any:
    """Returns what an op of ``READS`` gives for a value of its variable."""
    if op.type == "ResourceGather":
        return tf.gather(value, op.inputs[1], batch_dims=op.get_attr("batch_dims"))
    return tf.gather_nd(value, op.inputs[1]) if op.type == "ResourceGatherNd" else value


def value_after(op: Any, value: Any) -> Any:
    """Returns the value of a variable after an op; None if it cannot be told from the graph.

    Args:
        op: Op that changes the variable.
        value: Value before, a tensor; None if it is not known.

    Example:
        >>> with tf.Graph().as_default(), v1.Session() as session:
        ...     op = tf.Variable([1.0, 2.0])[1].assign(5.0).op
        ...     session.run(value_after(op, tf.constant([3.0, 4.0]))).tolist()
        [3.0, 5.0]
    """
    if op.type == "AssignVariableOp":
        return op.inputs[1]
    if value is None:
        return None
    if op.type == "RngReadAndSkip" and value.shape == [PHILOX_STATE]:
        # A random.Generator skips 256 numbers for each that it draws.
        return value + tf.pad([256 * tf.cast(op.inputs[2], tf.int64)], [[0, PHILOX_STATE - 1]])
    if op.type == "ResourceStridedSliceAssign":
        masks = {name: op.get_attr(name) for name in SLICE_MASKS}
        _, begin, end, strides, part = op.inputs
        return tf.raw_ops.TensorStridedSliceUpdate(
            input=value, begin=begin, end=end, strides=strides, value=part, **masks
        )
    if op.type in WHOLE_CHANGES:
        return WHOLE_CHANGES[op.type](value, op.inputs[1])
    if op.type in SCATTERED_CHANGES:
        return SCATTERED_CHANGES[op.type](value, op.inputs[1], op.inputs[2])
    if op.type in ROW_CHANGES:
        return ROW_CHANGES[op.type](value, op.inputs[1][..., tf.newaxis], op.inputs[2])
    return None
