"""Checks of values that TensorFlow's CPU kernels make at run time, and that XLA drops.

XLA clamps an index that is out of range, drops an update there, or gives nan. A compiled step adds these checks
itself, so that compiling never changes what is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

Check = Callable[[Any], "list[Any]"]
"""Returns bool scalars, all true where the op's kernel accepts its inputs; an op that needs no check gives none."""


class UncheckableError(Exception):
    """Op in a place or a form whose check cannot be added to a compiled step."""


def checks_of(op: Any) -> list[Any]:
    """Returns the checks of an op as bool scalars, added to the default graph; [] where it needs none.

    Raises:
        UncheckableError: The op needs a check that cannot be expressed.

    Example:
        >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        ...     indices = tf.compat.v1.placeholder(tf.int32, [2])
        ...     rows = tf.gather(tf.ones([4, 3]), indices)
        ...     (fits,) = checks_of(rows.op)
        ...     [bool(session.run(fits, {indices: value})) for value in ([0, 3], [0, 4])]
        [True, False]
    """
    check = CHECKS.get(op.type)
    return [] if check is None else check(op)


def known(value: Any) -> Any:
    """Returns the value of a tensor that is known while the graph is built, else None; an array is its own value."""
    return tf.get_static_value(value) if tf.is_tensor(value) else value


def sizes(tensor: Any) -> Any:
    """Returns the shape of a tensor, or of the variable of a handle, int64 [rank]; an array where it is fixed."""
    if tensor.dtype == tf.resource:
        return tf.raw_ops.VariableShape(input=tensor, out_type=tf.int64)
    if tensor.shape.is_fully_defined():
        return np.array(tensor.shape.as_list(), np.int64)
    return tf.shape(tensor, out_type=tf.int64)


def within(values: Any, least: Any, limit: Any) -> list[Any]:
    """Returns the check that all integers are at least ``least`` and below ``limit``, compared as int64.

    Args:
        values: Integers of any shape; a check of constants that fit is left out.
        least: Least value.
        limit: Limit, or a limit for each place in the last axis of the values.
    """
    constants, bound = known(values), known(limit)
    if constants is not None and bound is not None and np.all((constants >= least) & (constants < bound)):
        return []
    values = tf.cast(values, tf.int64)
    return [tf.reduce_all((values >= least) & (values < tf.cast(limit, tf.int64)))]


def _gather(op: Any) -> list[Any]:
    axis = int(known(op.inputs[2]))
    return within(op.inputs[1], 0, sizes(op.inputs[0])[axis])


def _rows(op: Any) -> list[Any]:
    return within(op.inputs[1], 0, sizes(op.inputs[0])[0])


def _rows_and_divisor(op: Any) -> list[Any]:
    return [*_rows(op), tf.reduce_all(tf.not_equal(op.inputs[2], 0))]


def _resource_gather(op: Any) -> list[Any]:
    return within(op.inputs[1], 0, sizes(op.inputs[0])[op.get_attr("batch_dims")])


def _tuples(indices: int, shaped: int, *, is_shape: bool = False) -> Check:
    """Returns the check of indices [..., depth] into the first ``depth`` axes of an input, or into a shape."""

    def check(op: Any) -> list[Any]:
        if "bad_indices_policy" in op.node_def.attr and op.get_attr("bad_indices_policy") == b"IGNORE":
            return []
        depth = op.inputs[indices].shape[-1]
        if depth is None:
            raise UncheckableError(f"the number of axes that the indices of {op.type} stand for is not fixed")
        limit = op.inputs[shaped] if is_shape else sizes(op.inputs[shaped])
        return within(op.inputs[indices], 0, limit[:depth]) if depth else []

    return check


def _labels(op: Any) -> list[Any]:
    return within(op.inputs[1], 0, sizes(op.inputs[0])[1])


def _segments(op: Any) -> list[Any]:
    # A CPU kernel drops negative segments too.
    return within(op.inputs[1], np.iinfo(np.int64).min, op.inputs[2])


def _strided(op: Any) -> list[Any]:
    begin = op.inputs[1]
    shrunk = _shrunk_axes(op)
    if known(begin) is not None or not shrunk:
        return []
    positions, axes = zip(*shrunk, strict=True)
    limits = tf.gather(sizes(op.inputs[0]), list(axes))
    at = tf.cast(tf.gather(begin, list(positions)), tf.int64)
    return [tf.reduce_all((at >= -limits) & (at < limits))]


def _shrunk_axes(op: Any) -> list[tuple[int, int]]:
    """Returns position in ``begin`` and axis of the input of each index that is one number, as in ``x[:, i]``."""
    masks = {name: op.get_attr(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")}
    count = op.inputs[1].shape[0]
    if count is None:
        raise UncheckableError("the number of slices of StridedSlice is not fixed")
    found, axis = [], 0
    for position in range(count):
        bit = 1 << position
        if masks["ellipsis"] & bit:
            after = sum(not masks["new_axis"] >> later & 1 for later in range(position + 1, count))
            if op.inputs[0].shape.rank is None:
                raise UncheckableError("the rank of the input of StridedSlice is not fixed")
            axis = op.inputs[0].shape.rank - after
        elif not masks["new_axis"] & bit:
            if masks["shrink_axis"] & bit:
                found.append((position, axis))
            axis += 1
    return found


def _slice(op: Any) -> list[Any]:
    begin, size = op.inputs[1], op.inputs[2]
    if known(begin) is not None and known(size) is not None:
        return []
    begin, size = tf.cast(begin, tf.int64), tf.cast(size, tf.int64)
    left = sizes(op.inputs[0]) - begin
    return [tf.reduce_all((begin >= 0) & (left >= 0) & (tf.equal(size, -1) | ((size >= 0) & (size <= left))))]


def _divisor(op: Any) -> list[Any]:
    divisor = op.inputs[1]
    constants = known(divisor)
    if not divisor.dtype.is_integer or (constants is not None and np.all(constants != 0)):
        return []
    return [tf.reduce_all(tf.not_equal(divisor, 0))]


def _exponent(op: Any) -> list[Any]:
    exponent = op.inputs[1]
    constants = known(exponent)
    if not exponent.dtype.is_integer or (constants is not None and np.all(constants >= 0)):
        return []
    return [tf.reduce_all(exponent >= 0)]


def _condition(op: Any) -> list[Any]:
    condition = known(op.inputs[0])
    return [] if condition is not None and np.all(condition) else [tf.reduce_all(op.inputs[0])]


def _finite(op: Any) -> list[Any]:
    return [tf.reduce_all(tf.math.is_finite(op.inputs[0]))]


def _lengths(op: Any) -> list[Any]:
    return within(op.inputs[1], 0, sizes(op.inputs[0])[op.get_attr("seq_dim")] + 1)


def _bounds(least: int, limit: int) -> Check:
    def check(op: Any) -> list[Any]:
        low, high = op.inputs[least], op.inputs[limit]
        if known(low) is not None and known(high) is not None and known(low) < known(high):
            return []
        return [tf.reduce_all(low < high)]

    return check


def _top(op: Any) -> list[Any]:
    return [] if known(op.inputs[1]) is not None else within(op.inputs[1], 0, sizes(op.inputs[0])[-1] + 1)


def _band(op: Any) -> list[Any]:
    rows_and_columns = sizes(op.inputs[0])[-2:]
    lowest = np.iinfo(np.int64).min
    return [
        check
        for side, limit in ((op.inputs[1], rows_and_columns[0]), (op.inputs[2], rows_and_columns[1]))
        for check in within(side, lowest, limit + 1)
    ]


def _not_negative(op: Any) -> list[Any]:
    return within(op.inputs[0], 0, np.iinfo(np.int64).max)


def _permutation(op: Any) -> list[Any]:
    if known(op.inputs[0]) is not None:
        return []
    places = tf.range(sizes(op.inputs[0])[0])
    return [tf.reduce_all(tf.reduce_any(tf.equal(tf.cast(op.inputs[0], tf.int64)[:, tf.newaxis], places), axis=0))]


def _element(op: Any) -> list[Any]:
    return within(op.inputs[1], 0, tf.raw_ops.TensorListLength(input_handle=op.inputs[0]))


CHECKS: Mapping[str, Check] = {
    "GatherV2": _gather,
    "Gather": _rows,
    "ResourceGather": _resource_gather,
    "GatherNd": _tuples(1, 0),
    "ScatterNd": _tuples(0, 2, is_shape=True),
    **{f"TensorScatter{what}": _tuples(1, 0) for what in ("Update", "Add", "Sub", "Min", "Max")},
    **{f"ResourceScatterNd{what}": _tuples(1, 0) for what in ("Update", "Add", "Sub", "Min", "Max")},
    **{f"ResourceScatter{what}": _rows for what in ("Update", "Add", "Sub", "Mul", "Min", "Max")},
    "ResourceScatterDiv": _rows_and_divisor,
    "SparseSoftmaxCrossEntropyWithLogits": _labels,
    **{f"UnsortedSegment{what}": _segments for what in ("Sum", "Prod", "Min", "Max")},
    "StridedSlice": _strided,
    "Slice": _slice,
    **dict.fromkeys(("Div", "FloorDiv", "FloorMod", "Mod", "TruncateDiv", "TruncateMod"), _divisor),
    "Pow": _exponent,
    "Assert": _condition,
    "CheckNumerics": _finite,
    "ReverseSequence": _lengths,
    "RandomUniformInt": _bounds(1, 2),
    "StatelessRandomUniformInt": _bounds(2, 3),
    "StatelessRandomUniformIntV2": _bounds(4, 5),
    "TopKV2": _top,
    "MatrixBandPart": _band,
    "DenseBincount": _not_negative,
    "InvertPermutation": _permutation,
    "TensorListGetItem": _element,
    "TensorListSetItem": _element,
    "TensorListGather": _element,
}
"""Check of each op type that XLA compiles without the check of its CPU kernel."""
