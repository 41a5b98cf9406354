"""Large tables of which an optimizer writes more than the rows that a batch touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

LARGE = 1_000_000
"""Number of elements of a table from which on reading and writing all of it shows in a step: about 1 ms."""


def tables_written_whole(pairs: Sequence[tuple[Any, Any]], ops: Iterable[Any]) -> list[str]:
    """Returns the names of large variables with gradients of rows whose update computes values of the whole variable.

    Args:
        pairs: Gradients and their variables.
        ops: Ops that the optimizer added for the update.

    Example:
        >>> from trainer.graph.ops.state_ops import upstream_ops
        >>> with tf.Graph().as_default():
        ...     table = tf.compat.v1.get_variable("table", [100_000, 16], use_resource=True)
        ...     rows = tf.IndexedSlices(tf.ones([1, 16]), [7], [100_000, 16])
        ...     alone = table.scatter_sub(rows).op
        ...     whole = table.assign_sub(tf.convert_to_tensor(rows)).op
        >>> tables_written_whole([(rows, table)], [alone])
        []
        >>> tables_written_whole([(rows, table)], upstream_ops([whole]))
        ['table']
    """
    of_rows = [each for gradient, each in pairs if isinstance(gradient, tf.IndexedSlices)]
    large = [each for each in of_rows if each.shape.is_fully_defined() and each.shape.num_elements() >= LARGE]
    if not large:
        return []
    computed = {
        tuple(output.shape)
        for op in ops
        if op.inputs and op.type not in ("ReadVariableOp", "Identity")
        for output in op.outputs
        if output.shape.is_fully_defined()
    }
    return [each.op.name for each in large if tuple(each.shape) in computed]
