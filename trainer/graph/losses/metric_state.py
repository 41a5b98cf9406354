"""State of a model's Keras metrics: reset at the start of an epoch, and set aside for an evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.losses.side_losses import layers_of
from trainer.graph.ops.find_instances import find_instances

v1 = tf.compat.v1

RESET = "reset_metrics"
"""Name of the op that resets the state at the start of an epoch."""


class MetricState:
    """Variables of Keras metrics; part of checkpoints, but not of the model.

    Args:
        metrics: Metrics of the model, all built.

    Raises:
        RequestError: A metric does not reset its own variables.

    Example:
        >>> with tf.Graph().as_default():
        ...     state = MetricState([keras.metrics.Mean(name="m")])
        >>> state.names
        ('m/total', 'm_1/count')
    """

    def __init__(self, metrics: Sequence[keras.metrics.Metric]) -> None:
        self._metrics = metrics
        self.variables = [variable for metric in metrics for variable in metric_variables(metric)]
        for metric in metrics:
            _check_reset(metric)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(variable.op.name for variable in self.variables)

    def reset(self) -> Any:
        """Adds the reset to the ``tf.function`` that is being traced; returns a tensor of no meaning."""
        for metric in self._metrics:
            metric.reset_state()
        return tf.constant(0)

    def reset_every(self, steps: int, step: Any) -> None:
        """Adds a reset that happens where the step, an int64 scalar, is a multiple of ``steps``."""
        if self.variables:
            tf.cond(tf.equal(step % steps, 0), self.reset, lambda: tf.constant(0), name=RESET)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Adds a reset to the ``tf.function`` that is being traced, and puts the state back at the end."""
        kept = [variable.read_value() for variable in self.variables]
        self.reset()
        yield
        for variable, value in zip(self.variables, kept, strict=True):
            variable.assign(value)


class StateAside:
    """Ops that set the state of metrics aside for an evaluation in several calls, and put it back.

    Args:
        state: State; must be made while the graph is open.
    """

    def __init__(self, state: MetricState) -> None:
        self._values = [variable.read_value() for variable in state.variables]
        self._fed = [v1.placeholder(value.dtype, value.shape) for value in self._values]
        pairs = zip(state.variables, self._fed, strict=True)
        self._put_back = tf.group(*(variable.assign(fed) for variable, fed in pairs))
        self._reset = tf.function(state.reset, autograph=False)() if self._values else None

    @contextlib.contextmanager
    def aside(self, session: Any) -> Iterator[None]:
        """Resets the state, and puts it back at the end, whatever was raised."""
        if not self._values:
            yield
            return
        kept = session.run(self._values)
        try:
            session.run(self._reset)
            yield
        finally:
            session.run(self._put_back, dict(zip(self._fed, kept, strict=True)))


def metrics_in(model: Any) -> list[keras.metrics.Metric]:
    """Returns the Keras metrics in a model, those of its layers included, each once."""
    places = [model, *map(vars, layers_of(model))]
    found = [metric for place in places for metric in find_instances(place, keras.metrics.Metric)]
    return list({id(metric): metric for metric in found}.values())


def metric_variables(metric: keras.metrics.Metric) -> list[Any]:
    """Returns the variables of a metric, ``tf.Variable`` attributes of a subclass included."""
    own = [each for each in vars(metric).values() if isinstance(each, tf.Variable)]
    return list({each.ref(): each for each in [*(variable.value for variable in metric.variables), *own]}.values())


def captured(graph: Any, variables: Iterable[Any]) -> dict[str, Any]:
    """Returns the tensors that stand for variables in a ``FuncGraph``, by name, without those that it does not use."""
    inside = {id(outside): tensor for outside, tensor in graph.captures}
    # A reference variable has no handle, and no function can assign it.
    handles = {each.op.name: id(each.handle) for each in variables if hasattr(each, "handle")}
    return {name: inside[handle] for name, handle in handles.items() if handle in inside}


def updated(graph: Any, variables: Iterable[Any]) -> set[str]:
    """Returns the names of the variables that a ``FuncGraph`` may update, in functions that it calls too."""
    uses = {name: tensor.consumers() for name, tensor in captured(graph, variables).items()}
    return {
        name
        for name, ops in uses.items()
        if any(op.type != "ReadVariableOp" and not op.name.startswith(RESET) for op in ops)
    }


def assigned(graph: Any, variables: Iterable[Any], before: Collection[Any]) -> set[str]:
    """Returns the names of the variables that an op of a ``FuncGraph`` assigns, apart from the ops before."""
    uses = {name: tensor.consumers() for name, tensor in captured(graph, variables).items()}
    return {name for name, ops in uses.items() if any(op.type.startswith("Assign") and op not in before for op in ops)}


def sources_of(value: Any, sources: Mapping[str, Any]) -> set[str]:
    """Returns the names of the sources, tensors of the same graph by name, that a tensor is computed from."""
    names, seen, left = {source.op.name: name for name, source in sources.items()}, set(), [value.op]
    while names and left:
        op = left.pop()
        if op.name not in seen:
            seen.add(op.name)
            left += [tensor.op for tensor in op.inputs]
    return {name for op_name, name in names.items() if op_name in seen}


def _check_reset(metric: keras.metrics.Metric) -> None:
    variables = metric_variables(metric)
    traced = tf.function(lambda: metric.reset_state(), autograph=False).get_concrete_function()
    kept = {variable.op.name for variable in variables} - updated(traced.graph, variables)
    if kept:
        raise RequestError(
            f"reset_state of the metric {type(metric).__name__} leaves {', '.join(sorted(kept))} as it is, so an epoch "
            "would go on from the one before; make variables with add_variable, or reset them there"
        )
