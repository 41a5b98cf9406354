"""Training part of the graph: one update, and many updates in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from trainer.graph.compiling.checked_functions import all_hold
from trainer.graph.data.feeds import ArrayFeed, Feed
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.graph.losses.metric_state import MetricState
from trainer.graph.ops.dependencies import check_nothing_is_stale
from trainer.graph.ops.exact_names import exactly
from trainer.graph.optimizers.current_rates import with_rates
from trainer.graph.state.frozen_state import FrozenState
from trainer.graph.steps.step_bodies import StepBody
from trainer.model import Tensors

v1 = tf.compat.v1

Update = Callable[[Tensors, Tensors], Any]
"""Updates the variables once and returns the metrics of the batch, float32 [metrics]."""

BatchIndices = Callable[[int], Any]
"""Returns a feed's batch indices of the next n steps from the current global step, int64 [n, ...]."""

STEPS_AHEAD = 100
"""Number of steps for which plain steps compute batch indices at a time, even if the call runs fewer."""


class UpdateRule:
    """Update of the variables on one batch, and what surrounds it.

    Args:
        body: Body of the update; it increments ``global_step``.
        state: State of the model's metrics, which the first step of an epoch resets.
        frozen_state: Keeper of the variables in frozen parts.
        global_step: Variable of the number of updates, int64 scalar.
        steps_per_epoch: Number of updates in an epoch.
        seed: Seed of the run; together with the step the seed of the model's random ops.
        rates: Function that returns the learning rates of the next update by name.
    """

    def __init__(
        self,
        body: StepBody,
        state: MetricState,
        frozen_state: FrozenState,
        global_step: Any,
        steps_per_epoch: int,
        seed: int,
        rates: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._body = body
        self._state = state
        self._frozen_state = frozen_state
        self._global_step = global_step
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self._rates = rates
        self.columns = MetricColumns(("loss",))
        self.of_model = self.columns
        self.curved: Mapping[str, str] = {}
        self.untrained: tuple[str, ...] = ()
        self.added_losses: tuple[str, ...] = ()

    def __call__(self, inputs: Tensors, labels: Tensors) -> Any:
        """Adds one update to the graph; sets the other attributes.

        ``columns`` are those of the row, ``of_model`` the same without learning rates.
        """
        step = self._global_step.read_value()
        seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])
        self._state.reset_every(self._steps_per_epoch, step)
        frozen = self._frozen_state.read()
        rates = self._rates()
        stepped = self._body(inputs, labels, seed)
        self._frozen_state.put_back(frozen)
        measured = stepped.measured
        self.of_model, self.curved = measured.columns, measured.curved
        self.untrained, self.added_losses = stepped.untrained, stepped.added_losses
        self.columns, row = with_rates(measured.columns, measured.row, rates)
        return row


def add_train_step(update: Update, inputs: Tensors, labels: Tensors) -> Any:
    """Adds the op ``train_step``, one update on fed inputs and labels, for users of the ``.meta`` file.

    Returns:
        The concrete function of the update, of batches of any size.
    """
    variables = v1.global_variables()

    def checked(inputs: Tensors, labels: Tensors) -> Any:
        metrics = update(inputs, labels)
        check_nothing_is_stale(v1.get_default_graph(), variables)
        return metrics

    once = tf.function(checked, autograph=False).get_concrete_function(inputs, labels)
    with tf.control_dependencies([once(inputs, labels)]):
        exactly("train_step", "the update on fed inputs", lambda name: tf.no_op(name=name))
    return once


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
