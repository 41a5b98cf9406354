"""The training part of the graph: one update, and many of them in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.feeds import ArrayFeed, Feed
from trainer.graph.inference import LOSS, call, scalar_loss, scalar_metrics
from trainer.graph.optimizers import Apply
from trainer.graph.variables import variables_by_name
from trainer.model import Model, Tensors

v1 = tf.compat.v1

Update = Callable[[Tensors, Tensors], Any]
"""Updates the variables once; returns the metrics of the batch, float32 [metrics]."""

Order = Callable[[int], Any]
"""What the next n updates take, by the global step as it is then: the plan of a feed, [n, ...]."""

STEPS_PLANNED = 100
"""So many steps ahead plain steps work out what they take; a call of fewer pays for as many."""


class UpdateRule:
    """Forward, loss, gradients, optimizer and step count, as one function of a batch.

    Args:
        model: called with ``training=True``.
        apply: the optimizer's.
        variables: those that are trained.
        global_step: int64 variable, counted up by one.
        seed: of the run; with the step it keys the model's random ops.
    """

    def __init__(self, model: Model, apply: Apply, variables: list[Any], global_step: Any, seed: int) -> None:
        self._model = model
        self._apply = apply
        self._variables = variables
        self._global_step = global_step
        self._seed = seed
        self.metric_names: tuple[str, ...] = ()
        self.untrained: tuple[str, ...] = ()

    def __call__(self, inputs: Tensors, labels: Tensors) -> Any:
        """Adds one update to the graph; what it finds about metrics and gradients is kept."""
        step = self._global_step.read_value()
        seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])
        known = set(variables_by_name(self._global_step.graph))
        outputs = call(self._model, inputs, training=True, seed=seed)
        loss = scalar_loss(self._model, outputs, labels)
        metrics = {LOSS: tf.cast(loss, tf.float32), **scalar_metrics(self._model, outputs, labels)}
        self.metric_names = tuple(metrics)
        if late := sorted(set(variables_by_name(self._global_step.graph)) - known):
            raise RequestError(
                f"{type(self._model).__name__} makes variables when it is called in training ({', '.join(late[:3])}), "
                "so they would not be trained; make layers and variables once, in the constructor"
            )
        pairs = list(zip(tf.gradients(loss, self._variables), self._variables, strict=True))
        reached = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        if not reached:
            raise RequestError("the loss depends on no trainable variable, so there is nothing to train")
        self.untrained = tuple(variable.op.name for gradient, variable in pairs if gradient is None)
        self._apply(*zip(*reached, strict=True))
        self._global_step.assign_add(1)
        return tf.stack(list(metrics.values()))


def add_train_step(update: Update, inputs: Tensors, labels: Tensors) -> None:
    """Adds the op ``train_step``: one update on fed inputs and labels, for users of the ``.meta``."""
    once = tf.function(update, autograph=False)
    with tf.control_dependencies([once(inputs, labels)]):
        op = tf.no_op(name="train_step")
    if op.name != "train_step":
        raise RequestError("the graph has an op 'train_step' already; rename the one in the model")


def add_steps(update: Update, metrics: int, feed: Feed, order: Order, max_steps: int) -> tuple[Any, Any, Any]:
    """Adds a call that runs n updates, each on the next batch.

    Args:
        update: of one batch.
        metrics: how many numbers it returns.
        feed: of the batches.
        order: which of them the next updates take.
        max_steps: the greatest n.

    Returns:
        The placeholder of n (int32 scalar), the metrics, float32 [n, metrics], and the seconds that
        were waited for batches, float64.
    """
    planned = min(max_steps, STEPS_PLANNED)

    def steps(count: Any) -> Any:
        def some(begin: Any, rows: Any, waited: Any) -> Any:
            plan, end = order(planned), tf.minimum(begin + planned, count)

            def one(i: Any, rows: Any, waited: Any) -> Any:
                (inputs, labels), secs = feed.batch(plan[i - begin])
                return i + 1, rows.write(i, update(inputs, labels)), waited + secs

            return one_by_one(lambda i, *_: i < end, one, [begin, rows, waited])

        rows = tf.TensorArray(tf.float32, size=count, element_shape=[metrics])
        begin = [0, rows, tf.constant(0.0, tf.float64)]
        _, rows, waited = one_by_one(lambda i, *_: i < count, some, begin)
        return rows.stack(), waited

    count = v1.placeholder(tf.int32, [], name="steps_per_call")
    return count, *tf.function(steps, autograph=False)(count)


def add_compiled_steps(
    update: Update, metrics: int, feed: ArrayFeed, order: Order, max_steps: int
) -> tuple[Any, Any, Any]:
    """As ``add_steps``, compiled by XLA as a whole; the batches are gathered before the loop.

    A compiled function has fixed shapes, so all batches of the plan are gathered for each call and
    the first n used.

    Args:
        update: of one batch.
        metrics: how many numbers it returns.
        feed: of the batches.
        order: which of them the next updates take.
        max_steps: the greatest n.
    """

    def steps(batches: Any, count: Any) -> Any:
        def body(i: Any, rows: Any) -> Any:
            inputs, labels = tf.nest.map_structure(lambda each: each[i], batches)
            return i + 1, rows.write(i, update(inputs, labels))

        rows = tf.TensorArray(tf.float32, size=max_steps, element_shape=[metrics])
        return one_by_one(lambda i, _: i < count, body, [0, rows])[1].stack()

    count = v1.placeholder(tf.int32, [], name="steps_per_call")
    batches = feed.batches(order(max_steps), max_steps)
    rows = tf.function(steps, autograph=False, jit_compile=True)(batches, count)[:count]
    return count, rows, tf.constant(0.0, tf.float64)


def one_by_one(more: Callable[..., Any], body: Callable[..., Any], begin: list[Any]) -> Any:
    """Runs a loop whose iterations wait for each other: an update reads what the one before it wrote."""
    return tf.while_loop(more, body, begin, parallel_iterations=1)
