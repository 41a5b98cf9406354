"""Form of a metric, read from its ops: a quotient of sums over the batch, a mean, or something else."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

SAME = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "EnsureShape", "StopGradient"})
"""Ops that hand a scalar on."""

QUOTIENTS = frozenset({"DivNoNan", "RealDiv"})

REDUCTIONS = frozenset({"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"})
"""Ops that reduce axes; along the batch axis, only ``Sum`` can be continued over further batches."""

EXTREMES = frozenset({"All", "Any", "Max", "Min", "Prod"})

EPSILON = 1e-3
"""Largest constant that is added to a denominator against 0/0 alone."""

# Ops that compute each example on its own, unless they reduce the batch axis.
PER_EXAMPLE = REDUCTIONS | frozenset(
    """
    Abs Add AddV2 ArgMax Cast ClipByValue Const Div DivNoNan Equal Exp ExpandDims Fill Floor GatherV2 Greater
    GreaterEqual Identity IsFinite IsNan Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mul
    Neg NotEqual OneHot OnesLike Pack Pow RealDiv Reciprocal Relu Reshape Round Rsqrt Select SelectV2 Shape Sigmoid
    Sign Size Softmax Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice Sub Tanh Xdivy Xlogy ZerosLike
    """.split()  # noqa: SIM905 - one name a line would fill a screen
)

CURVED = frozenset(
    {"Exp", "Expm1", "Log", "Log1p", "Maximum", "Minimum", "Pow", "Reciprocal", "Rsqrt", "Sqrt", "Square"}
)
"""Ops after which a scalar is no longer a mean over examples."""


@dataclass(frozen=True)
class Quotient:
    """Quotient of two sums over the examples of a batch.

    Args:
        numerator: Sum, a scalar.
        denominator: Sum, a scalar.
        no_nan: Whether 0/0 is 0.
    """

    numerator: Any
    denominator: Any
    no_nan: bool


def quotient(value: Any, given: Collection[Any]) -> Quotient | None:
    """Returns the quotient of sums that a metric is, or None.

    Args:
        value: Metric of a batch, a scalar.
        given: Ops that the outputs and labels come from; what they compute is not looked into.

    Example:
        >>> def metrics(hits, labels):
        ...     given = set(hits.graph.get_operations())
        ...     recall = tf.reduce_sum(hits * labels) / tf.reduce_sum(labels)
        ...     print(quotient(recall, given) is not None, quotient(tf.reduce_mean(hits), given))
        >>> spec = tf.TensorSpec([None], tf.float32)
        >>> _ = tf.function(metrics, autograph=False).get_concrete_function(spec, spec)
        True None
    """
    op = _past_same(value).op
    if op.type not in QUOTIENTS or op in given:
        return None
    numerator, denominator = op.inputs
    if _is_shape_alone(denominator, given) or not all(_is_sum(each, given) for each in op.inputs):
        return None
    return Quotient(numerator, denominator, op.type == "DivNoNan")


def weight_of(loss: Any, given: Collection[Any], data: AbstractSet[Any]) -> Any:
    """Returns the weight of a batch in a mean of losses: the denominator of the loss's one quotient, or None.

    Args:
        loss: Loss of a batch: a quotient of sums, times constants, plus what depends on the variables alone.
        given: Ops that the outputs and labels come from.
        data: Ops of the outputs and labels.
    """
    if parts := quotient(loss, given):
        return parts.denominator
    op = _past_same(loss).op
    if op.type not in ("Add", "AddN", "AddV2", "Mul") or op in given:
        return None
    varying: list[Any] = []
    fixed: list[Any] = []
    for each in op.inputs:
        (fixed if data.isdisjoint(_ancestors(each, ())) else varying).append(each)
    if len(varying) != 1 or (op.type == "Mul" and any(tf.get_static_value(each) is None for each in fixed)):
        return None
    return weight_of(varying[0], given, data)


def curved_at(value: Any, given: Collection[Any], kinds: Collection[str] | None = None) -> str:
    """Returns the type of an op after which a scalar is no mean over examples; empty if there is none.

    Args:
        value: Metric of a batch, a scalar.
        given: Ops that the outputs and labels come from.
        kinds: Types of ops to look for; None for all.
    """
    found = (op for op in _ancestors(value, given) if kinds is None or op.type in kinds)
    return next((str(op.type) for op in found if _is_curved(op, given)), "")


def _is_curved(op: Any, given: Collection[Any]) -> bool:
    if op.type in EXTREMES:
        return _is_over_batch(op, given)
    reduced = [any(_is_over_batch(each, given) for each in _ancestors(tensor, given)) for tensor in op.inputs]
    return (
        (op.type in CURVED and any(reduced))
        or (op.type in QUOTIENTS and reduced[1])
        or (op.type == "Mul" and all(reduced))
    )


def _is_over_batch(op: Any, given: Collection[Any]) -> bool:
    """Returns whether an op reduces the examples of a batch to one value."""
    return op.type in REDUCTIONS and _takes_batch(op) and not _is_shape_alone(op.inputs[0], given)


def _ancestors(value: Any, given: Collection[Any]) -> list[Any]:
    """Returns the ops that a tensor is computed by, without the given ones."""
    found, left = {}, [value.op]
    while left:
        op = left.pop()
        if op not in found and op not in given:
            found[op] = True
            left += [tensor.op for tensor in op.inputs]
    return list(found)


def _past_same(value: Any) -> Any:
    while value.op.type in SAME:
        value = value.op.inputs[0]
    return value


def _is_shape_alone(value: Any, given: Collection[Any]) -> bool:
    """Returns whether a tensor depends on no example, but on constants and the number of examples."""
    op = value.op
    if op.type in ("Const", "Shape", "Size", "Rank"):
        return True
    return op not in given and bool(op.inputs) and all(_is_shape_alone(each, given) for each in op.inputs)


def _is_sum(value: Any, given: Collection[Any]) -> bool:
    """Returns whether a scalar is linear in sums over the examples, so that it may be added up over batches."""
    op = _past_same(value).op
    if op in given:
        return False
    if op.type in ("Add", "AddV2", "Sub"):
        summed = [each for each in op.inputs if not _is_epsilon(each)]
        return bool(summed) and all(_is_sum(each, given) for each in summed)
    if op.type in ("Mul", "RealDiv"):
        factors = [tf.get_static_value(each) is not None for each in op.inputs]
        if factors == [False, True]:
            return _is_sum(op.inputs[0], given)
        return op.type == "Mul" and factors == [True, False] and _is_sum(op.inputs[1], given)
    return op.type == "Sum" and _is_per_example(op.inputs[0], given)


def _is_epsilon(value: Any) -> bool:
    constant = tf.get_static_value(value)
    return constant is not None and abs(constant) <= EPSILON


def _is_per_example(value: Any, given: Collection[Any]) -> bool:
    """Returns whether each row of a tensor is computed from one example alone."""
    return all(
        op.type in PER_EXAMPLE and not (op.type in REDUCTIONS | {"ArgMax", "GatherV2"} and _takes_batch(op))
        for op in _ancestors(value, given)
    )


def _takes_batch(op: Any) -> bool:
    """Returns whether an op may reduce or pick along the batch axis."""
    axes = tf.get_static_value(op.inputs[-1])
    rank = op.inputs[0].shape.rank
    if axes is None or rank is None:
        return True
    return any(axis % max(rank, 1) == 0 for axis in axes.reshape(-1))
