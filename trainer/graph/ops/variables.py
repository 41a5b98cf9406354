"""Global variables of a graph: by their own names, and by their keys in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array

v1 = tf.compat.v1


def variables_by_name(graph: Any) -> dict[str, Any]:
    """Returns the global variables of a graph by name; each part of a partitioned variable has its own."""
    return {variable.op.name: variable for variable in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)}


def key_of(variable: Any) -> str:
    """Returns the name under which a ``Saver`` stores a variable; that of the whole for a part of a partitioned one.

    Example:
        >>> with tf.Graph().as_default():
        ...     halves = v1.get_variable("table", [4, 1], partitioner=v1.fixed_size_partitioner(2))
        ...     [(part.op.name, key_of(part), part.shape.as_list()) for part in halves]
        [('table/part_0', 'table', [2, 1]), ('table/part_1', 'table', [2, 1])]
    """
    part = _slice_info(variable)
    return str(part.full_name if part else variable.op.name)


def variables_by_key(variables: Iterable[Any]) -> dict[str, list[Any]]:
    """Returns variables by their keys in a checkpoint: the parts of a partitioned one together."""
    found: dict[str, list[Any]] = {}
    for variable in variables:
        found.setdefault(key_of(variable), []).append(variable)
    return found


def slice_spec_of(variable: Any) -> str:
    """Returns the slice of the whole that a part of a partitioned variable is, '' for a whole variable."""
    part = _slice_info(variable)
    return str(part.spec) if part else ""


def own_part(whole: Array, variable: Any) -> Array:
    """Returns the part of a stored value that belongs to a variable: all of it, or the slice of its own."""
    part = _slice_info(variable)
    if part is None:
        return whole
    return whole[tuple(slice(at, at + size) for at, size in zip(part.var_offset, part.var_shape, strict=True))]


def _slice_info(variable: Any) -> Any:
    # A partitioner leaves this on each part; a Saver reads it too.
    return getattr(variable, "_save_slice_info", None)


def load_values(session: Any, values: Iterable[tuple[Any, Any]]) -> None:
    """Sets variables to values, in one call into the graph; nothing is added to it.

    Args:
        session: Session of the variables' graph.
        values: Variables and their values.
    """
    left = list(values)
    while left:
        # Variables that were made from one tensor share the input that is fed; they take turns.
        now: dict[Any, tuple[Any, Any]] = {}
        later = []
        for variable, value in left:
            fed = variable.initializer.inputs[1]
            if fed.ref() in now:
                later.append((variable, value))
            else:
                now[fed.ref()] = (variable, np.asarray(value, variable.dtype.base_dtype.as_numpy_dtype))
        session.run(
            [variable.initializer for variable, _ in now.values()],
            {fed.deref(): value for fed, (_, value) in now.items()},
        )
        left = later


def variable_bytes(graph: Any) -> int:
    """Returns the size of all global variables of known shape without strings, in bytes."""
    variables = variables_by_name(graph).values()
    return sum(elements(v) * v.dtype.size for v in variables if v.dtype.base_dtype != tf.string)


def elements(variable: Any) -> int:
    """Returns the number of elements of a variable, 0 if its shape is not known."""
    return int(variable.shape.num_elements() or 0)
