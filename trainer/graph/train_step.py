"""Training part of the graph: one update, and many updates in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.checked_functions import all_hold
from trainer.graph.dependencies import check_nothing_is_stale
from trainer.graph.exact_names import exactly
from trainer.graph.feeds import ArrayFeed, Feed
from trainer.graph.frozen_state import FrozenState
from trainer.graph.metric_columns import MetricColumns
from trainer.graph.metrics import ModelMetrics
from trainer.graph.model_calls import ModelCalls
from trainer.graph.side_losses import SideLosses, with_side_losses
from trainer.graph.variables import variables_by_name
from trainer.model import Tensors

v1 = tf.compat.v1

Update = Callable[[Tensors, Tensors], Any]
"""Updates the variables once and returns the metrics of the batch, float32 [metrics]."""

BatchIndices = Callable[[int], Any]
"""Returns a feed's batch indices of the next n steps from the current global step, int64 [n, ...]."""

Minimize = Callable[[Any], Sequence[str]]
"""Adds a step of the optimizer that lowers a loss, and the step's count; returns the names of unreached variables."""

STEPS_AHEAD = 100
"""Number of steps for which plain steps compute batch indices at a time, even if the call runs fewer."""


class UpdateRule:
    """Update of the variables on one batch: forward pass, loss, gradients, optimizer, step count.

    Args:
        calls: Calls of the model, made with ``training=True``.
        metrics: Metrics of the model; the first step of an epoch resets their state.
        side_losses: Losses that the model adds beside its own.
        minimize: Function that adds a step of the optimizer, which increments ``global_step``.
        frozen_state: Keeper of the variables in frozen parts.
        global_step: Variable of the number of updates, int64 scalar.
        steps_per_epoch: Number of updates in an epoch.
        seed: Seed of the run; together with the step the seed of the model's random ops.
    """

    def __init__(
        self,
        calls: ModelCalls,
        metrics: ModelMetrics,
        side_losses: SideLosses,
        minimize: Minimize,
        frozen_state: FrozenState,
        global_step: Any,
        steps_per_epoch: int,
        seed: int,
    ) -> None:
        self._calls = calls
        self._metrics = metrics
        self._side_losses = side_losses
        self._minimize = minimize
        self._frozen_state = frozen_state
        self._global_step = global_step
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self.columns = MetricColumns(("loss",))
        self.curved: Mapping[str, str] = {}
        self.untrained: tuple[str, ...] = ()
        self.added_losses: tuple[str, ...] = ()

    def __call__(self, inputs: Tensors, labels: Tensors) -> Any:
        """Adds one update to the graph; sets ``columns``, ``curved``, ``untrained`` and ``added_losses``."""
        step = self._global_step.read_value()
        seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])
        known = set(variables_by_name(self._global_step.graph))
        self._metrics.state.reset_every(self._steps_per_epoch, step)
        frozen = self._frozen_state.read()
        with self._side_losses.collected() as found:
            outputs = self._calls.outputs(inputs, training=True, seed=seed)
            own = self._calls.loss(outputs, labels)
        loss, self.added_losses = with_side_losses(own.value, found)
        measured = self._metrics.measure(outputs, labels, loss, own.weight)
        self.columns, self.curved = measured.columns, measured.curved
        if late := sorted(set(variables_by_name(self._global_step.graph)) - known):
            raise RequestError(
                f"{type(self._calls.model).__name__} makes variables when called with training=True "
                f"({', '.join(late[:3])}); they would not be trained: make layers and variables once, in the "
                "constructor"
            )
        self.untrained = tuple(self._minimize(loss))
        self._frozen_state.put_back(frozen)
        return measured.row


def add_train_step(update: Update, inputs: Tensors, labels: Tensors) -> Any:
    """Adds the op ``train_step``, one update on fed inputs and labels, for users of the ``.meta`` file.

    Returns:
        ``FuncGraph`` of the update.
    """
    variables = v1.global_variables()

    def checked(inputs: Tensors, labels: Tensors) -> Any:
        metrics = update(inputs, labels)
        check_nothing_is_stale(v1.get_default_graph(), variables)
        return metrics

    once = tf.function(checked, autograph=False)
    with tf.control_dependencies([once(inputs, labels)]):
        exactly("train_step", "the update on fed inputs", lambda name: tf.no_op(name=name))
    return once.get_concrete_function(inputs, labels).graph


def add_steps(
    update: Update, metrics: int, feed: Feed, batch_indices: BatchIndices, max_steps: int
) -> tuple[Any, Any, Any]:
    """Adds a call that runs n updates, each on the next batch.

    Args:
        update: Function that updates the variables on one batch.
        metrics: Number of metrics of an update.
        feed: Feed that gives the batches.
        batch_indices: Function that returns the batch indices of the next steps.
        max_steps: Maximum of n.

    Returns:
        Placeholder of n (int32 scalar), metrics (float32 [n, metrics]) and seconds of waiting for
        batches (float64 scalar).
    """
    ahead = min(max_steps, STEPS_AHEAD)

    def steps(count: Any) -> Any:
        def some(start: Any, rows: Any, waited: Any) -> Any:
            indices, end = batch_indices(ahead), tf.minimum(start + ahead, count)

            def one(i: Any, rows: Any, waited: Any) -> Any:
                (inputs, labels), secs = feed.batch(indices[i - start])
                return i + 1, rows.write(i, update(inputs, labels)), waited + secs

            return one_by_one(lambda i, *_: i < end, one, [start, rows, waited])

        rows = tf.TensorArray(tf.float32, size=count, element_shape=[metrics])
        start = [0, rows, tf.constant(0.0, tf.float64)]
        _, rows, waited = one_by_one(lambda i, *_: i < count, some, start)
        return rows.stack(), waited

    count = v1.placeholder(tf.int32, [], name="steps_per_call")
    return count, *tf.function(steps, autograph=False)(count)


def add_compiled_steps(
    update: Update, metrics: int, feed: ArrayFeed, batch_indices: BatchIndices, max_steps: int, *, checked: bool
) -> tuple[Any, Any, Any, Any]:
    """Adds the same call as ``add_steps``, compiled by XLA; the batches are gathered before the loop.

    A compiled function has fixed shapes, so each call gathers ``max_steps`` batches and uses the first n.

    Args:
        update: Function that updates the variables on one batch.
        metrics: Number of metrics of an update.
        feed: Feed that gives the batches.
        batch_indices: Function that returns the batch indices of the next steps.
        max_steps: Maximum of n.
        checked: Whether the update may have ops that XLA compiles without the checks of their kernels.

    Returns:
        Placeholder of n (int32 scalar), metrics (float32 [n, metrics]), seconds of waiting for batches
        (float64 scalar, always 0), and the number of steps whose checks hold (int32 scalar, None without
        checks): the call ends after the first step whose checks do not.

    Raises:
        UncheckableError: An op needs a check that cannot be added.
    """

    def steps(batches: Any, count: Any) -> Any:
        def one(i: Any, rows: Any) -> tuple[Any, Any, Any]:
            inputs, labels = tf.nest.map_structure(lambda each: each[i], batches)
            graph = v1.get_default_graph()
            before = len(graph.get_operations())
            values = update(inputs, labels)
            hold = all_hold(graph.get_operations()[before:]) if checked else None
            return i + 1, rows.write(i, values), tf.constant(True) if hold is None else hold

        rows = tf.TensorArray(tf.float32, size=max_steps, element_shape=[metrics])
        if not checked:
            return one_by_one(lambda i, _: i < count, lambda i, rows: one(i, rows)[:2], [0, rows])[1].stack()
        more = lambda i, _, hold: (i < count) & hold  # noqa: E731
        end, rows, hold = one_by_one(more, lambda i, rows, _: one(i, rows), [0, rows, True])
        return rows.stack(), tf.where(hold, end, end - 1)

    count = v1.placeholder(tf.int32, [], name="steps_per_call")
    batches = feed.batches(batch_indices(max_steps), max_steps)
    results = tf.function(steps, autograph=False, jit_compile=True)(batches, count)
    rows, completed = results if checked else (results, None)
    return count, rows[:count], tf.constant(0.0, tf.float64), completed


def one_by_one(more: Callable[..., Any], body: Callable[..., Any], start: list[Any]) -> Any:
    """Runs a loop without parallel iterations, because an update reads the variables that the previous one wrote."""
    return tf.while_loop(more, body, start, parallel_iterations=1)
