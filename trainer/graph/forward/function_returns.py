"""Parts of what a function of graph mode returns, and refusals of what no call of it can keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError, describe, place_in
from trainer.graph.forward.isolated_graph import IsolatedGraph
from trainer.graph.ops.dependencies import ancestors
from trainer.graph.ops.state_ops import upstream_ops, written

v1 = tf.compat.v1

ITERATORS = frozenset({"Iterator", "IteratorV2", "OneShotIterator", "AnonymousIterator", "MultiDeviceIterator"})
"""Types of the ops that make an iterator over a data set."""

FORMS = (
    "return a dict of outputs where labels are None, and otherwise (outputs, loss) or (outputs, loss, train_op), "
    "which a dict of metrics may follow"
)


@dataclass(frozen=True)
class Returned:
    """Parts of what a call returned, in the graph of the call.

    Args:
        outputs: Outputs, tensors by name.
        loss: Loss as it was returned; None where none was asked for.
        train_ops: Ops of an update; empty where the config has the optimizer.
        metrics: Metrics by name: scalars, or pairs of sums.
    """

    outputs: dict[str, Any]
    loss: Any = None
    train_ops: tuple[Any, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> list[Any]:
        """Tensors that are reported or exported."""
        given = tf.nest.flatten([self.outputs, self.metrics, [] if self.loss is None else self.loss])
        return [each for each in given if isinstance(each, tf.Tensor)]


def as_returned(name: str, returned: Any, *, with_loss: bool) -> Returned:
    """Returns the parts of what a function returned.

    Args:
        name: Name of the function, for messages.
        returned: What it returned.
        with_loss: Whether it was to return a loss.

    Raises:
        RequestError: It has none of the forms.
    """
    parts = list(returned) if isinstance(returned, tuple | list) else [returned]
    if not parts or not isinstance(parts[0], Mapping) or not parts[0]:
        raise RequestError(f"{name} returned {_in_words(returned)}; {FORMS}")
    outputs = {str(key): tf.convert_to_tensor(value) for key, value in parts[0].items()}
    if not with_loss:
        return Returned(outputs)
    if len(parts) == 3 and isinstance(parts[2], Mapping):
        parts.insert(2, None)
    if not 2 <= len(parts) <= 4 or parts[1] is None:
        raise RequestError(f"{name} returned {_in_words(returned)}, given labels; {FORMS}")
    loss, train_op, metrics = [*parts[1:], None, None][:3]
    if isinstance(loss, tf.Operation):
        raise RequestError(f"{name} returned the op {loss.name!r} as its loss; {FORMS}")
    if not isinstance(metrics, Mapping | None):
        raise RequestError(f"{name} returned its metrics as {type(metrics).__name__}; {FORMS}")
    train_ops = () if train_op is None else tuple(as_op(each) for each in tf.nest.flatten(train_op))
    return Returned(outputs, loss, train_ops, {key: _metric(name, key, each) for key, each in (metrics or {}).items()})


def _metric(name: str, key: str, value: Any) -> Any:
    if isinstance(value, keras.metrics.Metric):
        raise RequestError(
            f"{name} returned {key!r} as a Keras metric, which each call would make anew; return a scalar, the mean "
            "over the batch, or a pair (numerator, denominator) of sums"
        )
    if isinstance(value, tuple | list):
        return tuple(tf.convert_to_tensor(each) for each in value)
    return tf.convert_to_tensor(value)


def as_op(value: Any) -> Any:
    """Returns the op of a tensor, of what an assignment returns, or an op itself.

    Raises:
        RequestError: It is none of them.
    """
    op = value if isinstance(value, tf.Operation) else getattr(value, "op", None)
    if not isinstance(op, tf.Operation):
        raise RequestError(f"a train op or update op is a {type(value).__name__}; it must be an op or a tensor")
    return op


def check_runnable(name: str, graph: IsolatedGraph, values: Sequence[Any]) -> None:
    """Refuses what a call made that needs more than the ops of a step.

    Args:
        name: Name of the function, for messages.
        graph: Graph of the call.
        values: Tensors that the function returned.

    Raises:
        RequestError: It made queues, metrics with variables, or objects with a state of their own.
    """
    keys = v1.GraphKeys
    if any(each.graph is not graph for each in values):
        raise RequestError(
            f"{name} makes its tensors in a graph of its own; leave out tf.Graph(), so that they are in the default one"
        )
    if runners := graph.get_collection(keys.QUEUE_RUNNERS):
        raise RequestError(
            f"{name} makes input queues ({runners[0].name}), which no one fills; take the batches from its argument "
            "inputs, and give the data by data="
        )
    makes_iterator = any(op.type in ITERATORS for op in graph.get_operations())
    if makes_iterator or graph.get_collection(keys.SAVEABLE_OBJECTS):
        raise RequestError(
            f"{name} makes an iterator or a mutable table, which each call would make anew; use the argument inputs, "
            "or a class of your own whose constructor makes it"
        )
    of_metrics = {each.handle.ref() for each in graph.get_collection(keys.METRIC_VARIABLES)}
    taken = {outer.ref() for outer, inner in graph.captures if inner.op in ancestors(values)}
    if of_metrics & taken:
        raise RequestError(
            f"{name} returns a metric of tf.compat.v1.metrics, which adds up over all batches; return the mean over "
            "the batch, or a pair (numerator, denominator) of sums"
        )


def changed_by(graph: IsolatedGraph, ops: Collection[Any]) -> set[str]:
    """Returns the names of the variables that ops of a call change, with all that the ops need."""
    outer = {inner.name: outside for outside, inner in graph.captures}
    return {name for op in upstream_ops(ops) for name in written(op, lambda tensor: outer.get(tensor.name, tensor))}


def gone(name: str, error: Exception) -> RequestError:
    """Returns the error of a function that uses what TensorFlow no longer has.

    Args:
        name: Name of the function.
        error: Error that it raised.
    """
    text = describe(error)
    remedy = ""
    if "Keras 3" in text or "layers" in text:
        remedy = "; tf.compat.v1.layers needs Keras 2: make the variables with get_variable, see docs/graph_mode.md"
    elif "contrib" in text:
        remedy = "; tf.contrib is not in TensorFlow 2: use what replaces the module"
    return RequestError(f"{name} cannot be called: {text}{place_in(error)}{remedy}")


def _in_words(returned: Any) -> str:
    if isinstance(returned, tuple | list):
        return f"({', '.join(type(each).__name__ for each in returned)})"
    return type(returned).__name__
