"""Rows of large variables, read without the rest of the variable."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

# The function that tf.gather, tf.nn.embedding_lookup and Keras's layers come to; it has no public name.
from tensorflow.python.ops import gen_array_ops

from trainer.graph.ops.dependencies import READING_OPS

WORTH_IT = 10_000
"""Number of elements of a variable from which on its rows are read alone; a smaller one is copied in no time."""


@contextlib.contextmanager
def rows_read_alone() -> Iterator[None]:
    """Lets a gather from the value of a variable read the rows alone, in functions that are traced inside the block.

    Once an update has written rows of a variable, TensorFlow copies all of it for each read of its value: 20 ms for
    1,000,000 x 32, where the rows of a batch take 0.1 ms. Keras's Embedding reads the value. It holds for the whole
    process: only one thread at a time may be inside.

    Example:
        >>> with tf.Graph().as_default(), rows_read_alone():
        ...     table = tf.compat.v1.get_variable("table", [1000, 16], use_resource=True)
        ...     look_up = tf.function(lambda i: tf.gather(table.read_value(), i)).get_concrete_function([7])
        >>> sorted(op.type for op in look_up.graph.get_operations() if "Gather" in op.type)
        ['ResourceGather']
    """
    gather_v2 = gen_array_ops.gather_v2

    def gather(params: Any, indices: Any, axis: Any, batch_dims: int = 0, name: str | None = None) -> Any:
        if batch_dims == 0 and tf.get_static_value(axis) == 0:
            params = tf.convert_to_tensor(params)
            if (handle := _handle_of(params)) is not None:
                return tf.raw_ops.ResourceGather(resource=handle, indices=indices, dtype=params.dtype, name=name)
        return gather_v2(params, indices, axis, batch_dims=batch_dims, name=name)

    gen_array_ops.gather_v2 = gather
    try:
        yield
    finally:
        gen_array_ops.gather_v2 = gather_v2


def _handle_of(value: Any) -> Any:
    """Returns the handle of the variable that a tensor is the value of, now too; None for all other tensors."""
    graph = tf.compat.v1.get_default_graph()
    # In other graphs nothing orders a read and the writes.
    if not isinstance(value, tf.Tensor) or value.graph is not graph or not hasattr(graph, "captures"):
        return None
    op = value.op
    while op.type == "Identity":
        op = op.inputs[0].op
    if op.type != "ReadVariableOp" or (value.shape.num_elements() or 0) < WORTH_IT:
        return None
    handle = op.inputs[0]
    writes = [each for each in handle.consumers() if each.type not in READING_OPS]
    return None if writes and _is_after(writes, op) else handle


def _is_after(ops: Sequence[Any], op: Any) -> bool:
    """Returns whether any of some ops was made after an op of the same graph."""
    made = op.graph.get_operations()
    later = set(made[made.index(op) + 1 :])
    return any(each in later for each in ops)
