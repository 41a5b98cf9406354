"""Checks that stand in for those of TensorFlow's CPU kernels: they hold exactly where the kernel accepts its inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from trainer.graph.compiling.checked_functions import all_hold, needs_checks
from trainer.graph.compiling.compile_rule import DENSE_OPS, OTHER_OPS
from trainer.graph.compiling.range_checks import CHECKS, UncheckableError

v1, raw = tf.compat.v1, tf.raw_ops
X = np.arange(12, dtype=np.float32).reshape(4, 3)
ONE = np.ones(1, np.float32)


class Row(NamedTuple):
    """An op, values that its CPU kernel accepts, and values that it refuses."""

    op: str
    make: Callable[[Any], Any]
    good: list[Any]
    bad: list[Any]


def variable() -> Any:
    return v1.get_variable("v", initializer=X, use_resource=True)


def list_op(name: str, **arguments: Any) -> Any:
    handle = raw.TensorListFromTensor(tensor=np.arange(4, dtype=np.float32), element_shape=np.array([], np.int32))
    return getattr(raw, name)(input_handle=handle, **arguments)


NO_SHAPE = np.array([], np.int32)
EMPTY = np.zeros(0, np.float32)
READ = {"element_shape": NO_SHAPE, "element_dtype": tf.float32}


def rows() -> list[Row]:
    """Returns the table; all values of a row have the same shape and dtype."""
    uniform, stateless = raw.StatelessRandomUniformInt, tf.random.stateless_uniform
    table = [
        Row("GatherV2", lambda i: tf.gather(X, i), [[0, 3]], [[0, 4], [-1, 0]]),
        Row("GatherV2", lambda i: tf.gather(X, i, axis=1), [[0, 2]], [[0, 3]]),
        Row("GatherV2", lambda i: tf.gather(X, i, axis=-1, batch_dims=1), [[[0], [1], [2], [2]]], [[[0]] * 3 + [[3]]]),
        Row("Gather", lambda i: raw.Gather(params=X, indices=i), [[3]], [[4]]),
        Row("ResourceGather", lambda i: tf.nn.embedding_lookup(variable(), i), [[3]], [[4], [-1]]),
        Row("GatherNd", lambda i: tf.gather_nd(X, i), [[[3, 2]]], [[[3, 3]], [[4, 0]], [[0, -1]]]),
        Row("GatherNd", lambda i: tf.gather_nd(X, i), [[[3]]], [[[4]]]),
        Row("ScatterNd", lambda i: tf.scatter_nd(i, ONE, [4]), [[[3]]], [[[4]], [[-1]]]),
        Row("SparseSoftmaxCrossEntropyWithLogits", sparse_loss, [[0, 2]], [[0, 3], [-1, 0]]),
        Row("StridedSlice", lambda i: tf.constant(X)[i], [3, -4], [4, -5]),
        Row("StridedSlice", lambda i: tf.constant(X)[tf.newaxis, ..., i], [2, -3], [3, -4]),
        Row("StridedSlice", lambda i: tf.constant(X)[:i], [9, -9, 0], []),
        Row("Slice", lambda i: tf.slice(X, [i, 0], [2, 3]), [0, 2], [3, -1]),
        Row("Slice", lambda i: tf.slice(X, [1, 0], [i, 3]), [3, -1, 0], [4, -2]),
        Row("Div", lambda i: raw.Div(x=[7], y=i), [[2]], [[0]]),
        Row("FloorDiv", lambda i: [7, 8] // i, [[2, -1]], [[2, 0]]),
        Row("FloorDiv", lambda i: [7, 8] // tf.cast(i, tf.float32), [[2, 0]], []),
        Row("FloorMod", lambda i: [7, 8] % i, [[2, -1]], [[2, 0]]),
        Row("Mod", lambda i: raw.Mod(x=[7], y=i), [[2]], [[0]]),
        Row("TruncateDiv", lambda i: tf.truncatediv([7], i), [[2]], [[0]]),
        Row("TruncateMod", lambda i: tf.truncatemod([7], i), [[2]], [[0]]),
        Row("Pow", lambda i: tf.pow([2, 3], i), [[0, 2]], [[0, -1]]),
        Row("Assert", lambda i: guarded(tf.debugging.assert_less(i, 3), i), [[2]], [[3]]),
        Row("Assert", lambda i: guarded(v1.Assert(tf.reduce_all(i > 0), [i]), i), [[2]], [[0]]),
        Row("CheckNumerics", lambda i: tf.debugging.check_numerics(1 / i, "inverse"), [[1.0, 2.0]], [[1.0, 0.0]]),
        Row("ReverseSequence", lambda i: tf.reverse_sequence(X, i, 1, 0), [[0, 1, 2, 3]], [[4] * 4, [-1] * 4]),
        Row("RandomUniformInt", lambda i: tf.random.uniform([2], i, 3, tf.int32), [2, -5], [3, 4]),
        Row("StatelessRandomUniformInt", lambda i: uniform(shape=[2], seed=[1, 2], minval=i, maxval=3), [2], [3]),
        Row("StatelessRandomUniformIntV2", lambda i: stateless([2], [1, 2], i, 3, tf.int32), [2], [3]),
        Row("TopKV2", lambda i: tf.math.top_k(X, i), [0, 3], [4, -1]),
        Row("MatrixBandPart", lambda i: tf.linalg.band_part(X, i, 1), [4, -1], [5]),
        Row("MatrixBandPart", lambda i: tf.linalg.band_part(X, 1, i), [3, -1], [4]),
        Row("DenseBincount", lambda i: raw.DenseBincount(input=i, size=3, weights=EMPTY), [[0, 7]], [[-1, 0]]),
        Row("InvertPermutation", lambda i: tf.math.invert_permutation(i), [[2, 0, 1]], [[2, 0, 0], [3, 0, 1]]),
        Row("TensorListGetItem", lambda i: list_op("TensorListGetItem", index=i, **READ), [3], [4, -1]),
        Row("TensorListSetItem", lambda i: stacked(list_op("TensorListSetItem", index=i, item=1.0)), [3], [4, -1]),
        Row("TensorListGather", lambda i: list_op("TensorListGather", indices=i, **READ), [[3]], [[4], [-1]]),
    ]  # fmt: skip
    for what in ("Update", "Add", "Sub", "Min", "Max"):
        scatter, nd = getattr(raw, f"TensorScatter{what}"), getattr(raw, f"ResourceScatterNd{what}")
        table += [
            Row(f"TensorScatter{what}", partial(scattered, scatter), [[[3]]], [[[4]], [[-1]]]),
            Row(f"ResourceScatterNd{what}", partial(scattered, nd, ref=True), [[[3, 2]]], [[[3, 3]]]),
        ]
    for what in ("Update", "Add", "Sub", "Mul", "Div", "Min", "Max"):
        op = getattr(raw, f"ResourceScatter{what}")
        table.append(Row(f"ResourceScatter{what}", partial(rows_updated, op), [[3]], [[4], [-1]]))
    divided = lambda x: raw.ResourceScatterDiv(resource=variable().handle, indices=[1], updates=x)  # noqa: E731
    table.append(Row("ResourceScatterDiv", divided, [[[1.0, 2.0, 3.0]]], [[[1.0, 0.0, 3.0]]]))
    for what in ("Sum", "Prod", "Min", "Max"):
        op = getattr(raw, f"UnsortedSegment{what}")
        table.append(Row(f"UnsortedSegment{what}", partial(segmented, op), [[0, 1, 2, -5]], [[0, 1, 2, 3]]))
    return table


def scattered(op: Any, indices: Any, *, ref: bool = False) -> Any:
    target = {"ref": variable().handle} if ref else {"tensor": np.ones(4, np.float32)}
    return op(**target, indices=indices, updates=ONE)


def rows_updated(op: Any, indices: Any) -> Any:
    return op(resource=variable().handle, indices=indices, updates=X[1:2])


def segmented(op: Any, segments: Any) -> Any:
    return op(data=X, segment_ids=segments, num_segments=3)


def sparse_loss(labels: Any) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.ones([2, 3]))


def guarded(assertion: Any, value: Any) -> Any:
    with tf.control_dependencies([assertion]):
        return tf.identity(value)


def stacked(handle: Any) -> Any:
    return raw.TensorListStack(input_handle=handle, element_shape=NO_SHAPE, element_dtype=tf.float32, num_elements=4)


ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.op)
def test_a_check_holds_exactly_where_the_kernel_accepts_its_inputs(row) -> None:
    with tf.Graph().as_default() as graph, v1.Session() as session:
        first = np.asarray((row.good or row.bad)[0])
        value = v1.placeholder(tf.float32 if first.dtype.kind == "f" else tf.int32, first.shape)
        made = row.make(value)
        assert row.op in {op.type for op in graph.get_operations()}
        assert needs_checks(graph)
        hold = all_hold(graph.get_operations())
        session.run(v1.global_variables_initializer())
        for each in row.good:
            session.run(made, {value: each})
            assert hold is None or session.run(hold, {value: each})
        for each in row.bad:
            with pytest.raises(tf.errors.OpError):
                session.run(made, {value: each})
            assert not session.run(hold, {value: each})


def test_every_check_is_in_the_table() -> None:
    assert {row.op for row in ROWS} == set(CHECKS)


def test_an_op_is_compiled_for_one_reason() -> None:
    assert not OTHER_OPS & (CHECKS.keys() | DENSE_OPS)
    assert not OTHER_OPS & {"Where", "MatrixInverse", "MatrixSolve", "SelfAdjointEigV2", "DynamicPartition"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.gather(X, [0, 3]),
        lambda: tf.constant(X)[:, 1],
        lambda: tf.slice(X, [0, 0], [2, 2]),
        lambda: tf.constant([7]) // 2,
        lambda: tf.pow(tf.constant([7]), 2),
        lambda: tf.transpose(X, tf.math.invert_permutation([1, 0])),
        lambda: tf.nn.relu(X),
    ],
)
def test_constants_need_no_check(make) -> None:
    with tf.Graph().as_default() as graph:
        make()
        assert all_hold(graph.get_operations()) is None


def inner(index: Any) -> Any:
    return tf.reduce_sum(tf.gather([1.0, 2.0, 3.0, 4.0], index))


traced = partial(tf.function, autograph=False)


def thrice(term: Callable[[Any], Any]) -> Any:
    """Returns the sum of a term over three turns of a loop."""
    return tf.while_loop(lambda j, _: j < 3, lambda j, sum_: (j + 1, sum_ + term(j)), [0, 0.0], maximum_iterations=3)[1]


NESTED = {
    "function": lambda i, v: traced(lambda: inner(i) * tf.reduce_sum(v))(),
    "function in a function": lambda i, v: traced(lambda: traced(inner)(i) * v[0, 0])(),
    "branch": lambda i, v: tf.cond(v[0, 1] > 0, lambda: inner(i), lambda: 0.0),
    "case": lambda i, v: tf.switch_case(tf.cast(v[0, 1], tf.int32), [lambda: 0.0, lambda: inner(i), lambda: 1.0]),
    "loop": lambda i, v: thrice(lambda _: inner(i) * v[0, 0]),
    "branch in a loop": lambda i, v: thrice(lambda j: tf.cond(j > 1, lambda: inner(i), lambda: v[0, 0])),
}


@pytest.mark.parametrize("where", NESTED)
def test_a_check_inside_a_function_is_read_outside(where) -> None:
    """Gradients are taken first, as in an update; the values stay what they were."""

    def update(index: Any) -> Any:
        v = variable()
        value = NESTED[where](index, v)
        gradient = tf.gradients(value + v[0, 0], v)[0]
        v.assign_sub(0.0 * gradient)
        ops = v1.get_default_graph().get_operations()
        return value, all_hold(ops)

    with tf.Graph().as_default(), v1.Session() as session:
        variable()
        with v1.variable_scope(v1.get_variable_scope(), reuse=True):
            index = v1.placeholder(tf.int32, [])
            value, hold = tf.function(update, autograph=False, jit_compile=True)(index)
        session.run(v1.global_variables_initializer())
        (good, holds), (_, fails) = (session.run((value, hold), {index: each}) for each in (3, 4))
    assert holds and not fails
    assert np.isfinite(good)


def test_a_check_in_the_condition_of_a_loop_is_refused() -> None:
    with tf.Graph().as_default() as graph:
        index = v1.placeholder(tf.int32, [])
        tf.while_loop(lambda j: j < inner(index), lambda j: j + 1, [0.0])
        with pytest.raises(UncheckableError, match="condition of a while loop"):
            all_hold(graph.get_operations())
