"""Training part of the graph: one update, and many updates in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.feeds import ArrayFeed, Feed
from trainer.graph.inference import call, loss_and_weight
from trainer.graph.metric_columns import MetricColumns
from trainer.graph.metrics import ModelMetrics
from trainer.graph.optimizers import Apply
from trainer.graph.variables import variables_by_name
from trainer.model import Model, Tensors

v1 = tf.compat.v1

Update = Callable[[Tensors, Tensors], Any]
"""Updates the variables once and returns the metrics of the batch, float32 [metrics]."""

BatchIndices = Callable[[int], Any]
"""Returns a feed's batch indices of the next n steps from the current global step, int64 [n, ...]."""

STEPS_AHEAD = 100
"""Number of steps for which plain steps compute batch indices at a time, even if the call runs fewer."""


class UpdateRule:
    """Update of the variables on one batch: forward pass, loss, gradients, optimizer, step count.

    Args:
        model: Model, called with ``training=True``.
        metrics: Metrics of the model; the first step of an epoch resets their state.
        apply: Function that applies gradients with the optimizer.
        variables: Variables to train.
        global_step: Variable of the number of updates, int64 scalar, incremented by each update.
        steps_per_epoch: Number of updates in an epoch.
        seed: Seed of the run; together with the step the seed of the model's random ops.
    """

    def __init__(
        self,
        model: Model,
        metrics: ModelMetrics,
        apply: Apply,
        variables: list[Any],
        global_step: Any,
        steps_per_epoch: int,
        seed: int,
    ) -> None:
        self._model = model
        self._metrics = metrics
        self._apply = apply
        self._variables = variables
        self._global_step = global_step
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self.columns = MetricColumns(("loss",))
        self.curved: Mapping[str, str] = {}
        self.untrained: tuple[str, ...] = ()

    def __call__(self, inputs: Tensors, labels: Tensors) -> Any:
        """Adds one update to the graph; sets ``columns``, ``curved`` and ``untrained``."""
        step = self._global_step.read_value()
        seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])
        known = set(variables_by_name(self._global_step.graph))
        self._metrics.state.reset_every(self._steps_per_epoch, step)
        outputs = call(self._model, inputs, training=True, seed=seed)
        loss, weight = loss_and_weight(self._model, outputs, labels)
        measured = self._metrics.measure(outputs, labels, loss, weight)
        self.columns, self.curved = measured.columns, measured.curved
        if late := sorted(set(variables_by_name(self._global_step.graph)) - known):
            raise RequestError(
                f"{type(self._model).__name__} makes variables when called with training=True ({', '.join(late[:3])}); "
                "they would not be trained: make layers and variables once, in the constructor"
            )
        pairs = list(zip(tf.gradients(loss, self._variables), self._variables, strict=True))
        reached = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        if not reached:
            raise RequestError("the loss depends on no trainable variable, so there is nothing to train")
        self.untrained = tuple(variable.op.name for gradient, variable in pairs if gradient is None)
        self._apply(*zip(*reached, strict=True))
        self._global_step.assign_add(1)
        return measured.row


def add_train_step(update: Update, inputs: Tensors, labels: Tensors) -> None:
    """Adds the op ``train_step``, one update on fed inputs and labels, for users of the ``.meta`` file."""
    once = tf.function(update, autograph=False)
    with tf.control_dependencies([once(inputs, labels)]):
        op = tf.no_op(name="train_step")
    if op.name != "train_step":
        raise RequestError("the graph already has an op 'train_step'; rename the one in the model")


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
    update: Update, metrics: int, feed: ArrayFeed, batch_indices: BatchIndices, max_steps: int
) -> tuple[Any, Any, Any]:
    """Adds the same call as ``add_steps``, compiled by XLA; the batches are gathered before the loop.

    A compiled function has fixed shapes, so each call gathers ``max_steps`` batches and uses the first n.

    Args:
        update: Function that updates the variables on one batch.
        metrics: Number of metrics of an update.
        feed: Feed that gives the batches.
        batch_indices: Function that returns the batch indices of the next steps.
        max_steps: Maximum of n.

    Returns:
        Placeholder of n (int32 scalar), metrics (float32 [n, metrics]) and seconds of waiting for
        batches (float64 scalar, always 0).
    """

    def steps(batches: Any, count: Any) -> Any:
        def body(i: Any, rows: Any) -> Any:
            inputs, labels = tf.nest.map_structure(lambda each: each[i], batches)
            return i + 1, rows.write(i, update(inputs, labels))

        rows = tf.TensorArray(tf.float32, size=max_steps, element_shape=[metrics])
        return one_by_one(lambda i, _: i < count, body, [0, rows])[1].stack()

    count = v1.placeholder(tf.int32, [], name="steps_per_call")
    batches = feed.batches(batch_indices(max_steps), max_steps)
    rows = tf.function(steps, autograph=False, jit_compile=True)(batches, count)[:count]
    return count, rows, tf.constant(0.0, tf.float64)


def one_by_one(more: Callable[..., Any], body: Callable[..., Any], start: list[Any]) -> Any:
    """Runs a loop without parallel iterations, because an update reads the variables that the previous one wrote."""
    return tf.while_loop(more, body, start, parallel_iterations=1)
