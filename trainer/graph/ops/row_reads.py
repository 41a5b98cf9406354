"""Rows of large variables, read without the rest of the variable."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

# The function that tf.gather, tf.nn.embedding_lookup and Keras's layers come to; it has no public name.
from tensorflow.python.ops import gen_array_ops

WORTH_IT = 10_000
"""Number of elements of a variable from which on its rows are read alone; a smaller one is copied in no time."""


@contextlib.contextmanager
def rows_read_alone() -> Iterator[None]:
    """Lets a gather from a Keras variable read the rows alone, in functions that are traced inside the block.

    Once an update has written rows of a variable, TensorFlow copies all of it for each read of its value: 20 ms for
    1,000,000 x 32, where the rows of a batch take 0.1 ms. A gather from a ``tf.Variable`` reads rows; one from a
    variable of Keras, as its layer Embedding makes it, reads the value. A value that the model reads itself stays: it
    may want gradients of it. The block holds for the whole process: only one thread at a time may be inside.

    Example:
        >>> with tf.Graph().as_default(), rows_read_alone():
        ...     table = keras.Variable(tf.zeros([1000, 16]))
        ...     look_up = tf.function(lambda i: tf.gather(table, i)).get_concrete_function([7])
        >>> sorted(op.type for op in look_up.graph.get_operations() if "Gather" in op.type)
        ['ResourceGather']
    """
    gather_v2 = gen_array_ops.gather_v2

    def gather(params: Any, indices: Any, axis: Any, batch_dims: int = 0, name: str | None = None) -> Any:
        if isinstance(params, keras.Variable) and batch_dims == 0 and tf.get_static_value(axis) == 0:
            params = tf.convert_to_tensor(params)
            if _is_read_here(params):
                handle = params.op.inputs[0]
                return tf.raw_ops.ResourceGather(resource=handle, indices=indices, dtype=params.dtype, name=name)
        return gather_v2(params, indices, axis, batch_dims=batch_dims, name=name)

    gen_array_ops.gather_v2 = gather
    try:
        yield
    finally:
        gen_array_ops.gather_v2 = gather_v2


def _is_read_here(value: Any) -> bool:
    """Returns whether a tensor is the value of a large variable, read in the function that is being traced."""
    graph = tf.compat.v1.get_default_graph()
    is_here = value.graph is graph and hasattr(graph, "captures")
    # Under a policy of mixed precision the value is cast as a whole.
    return is_here and value.op.type == "ReadVariableOp" and (value.shape.num_elements() or 0) >= WORTH_IT
