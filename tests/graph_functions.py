"""Functions of graph mode for tests, in the ways that people wrote them; and a loop over ``session.run``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Arrays
from trainer.graph.ops.variables import variables_by_key

v1 = tf.compat.v1
UPDATES = v1.GraphKeys.UPDATE_OPS


def dense(x: Any, units: int, name: str | None, **more: Any) -> Any:
    """Returns a dense layer of ``get_variable``; without a name, TensorFlow numbers its scope."""
    with v1.variable_scope(name, default_name="dense"):
        initial = v1.glorot_uniform_initializer(seed=1)
        w = v1.get_variable("w", [int(x.shape[-1]), units], initializer=initial, **more)
        return x @ w + v1.get_variable("b", [units], initializer=v1.zeros_initializer())


def averaged(x: Any, training: Any) -> Any:
    """Returns x less its mean, whose moving average is kept by an op in UPDATE_OPS."""
    moving = v1.get_variable("bn/mean", [int(x.shape[-1])], initializer=v1.zeros_initializer(), trainable=False)
    mean = tf.reduce_mean(x, 0)
    v1.add_to_collection(UPDATES, v1.assign(moving, moving * 0.9 + mean * 0.1))
    return x - (mean if training else moving)


def squared(op: Any, labels: Any) -> Any:
    return tf.reduce_mean((op - labels["y"]) ** 2)


def lowered_by(minimize: Callable[[Any], Any]) -> Callable[..., Any]:
    """Returns a function with a small net and the train op of ``minimize``, made in training alone."""

    def build(inputs: Any, labels: Any, training: bool) -> Any:
        op = dense(tf.nn.relu(dense(inputs["x"], 4, "one")), 1, "two")
        if labels is None:
            return {"op": op}
        loss = squared(op, labels)
        return ({"op": op}, loss, minimize(loss)) if training else ({"op": op}, loss)

    return build


def counted(inputs: Any, labels: Any, training: bool) -> Any:
    """Counts the step, lowers its rate by it, and waits for the updates."""
    op = dense(averaged(dense(inputs["x"], 4, "one"), training), 1, "two")
    if labels is None:
        return {"op": op}
    loss, step = squared(op, labels), v1.train.get_or_create_global_step()
    rate = v1.train.exponential_decay(0.1, step, 3, 0.5)
    with tf.control_dependencies(v1.get_collection(UPDATES)):
        train_op = v1.train.AdamOptimizer(rate).minimize(loss, global_step=step)
    return {"op": op}, loss, train_op, {"error": tf.reduce_mean(tf.abs(op - labels["y"]))}


def a_step_of_its_own(loss: Any) -> Any:
    step = tf.Variable(0, trainable=False, name="global_step")
    rate = v1.train.piecewise_constant(step, [4, 8], [0.1, 0.05, 0.01])
    return v1.train.GradientDescentOptimizer(rate).minimize(loss, global_step=step)


def clipped(loss: Any) -> Any:
    optimizer = v1.train.RMSPropOptimizer(0.01, momentum=0.9)
    gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    return optimizer.apply_gradients(zip(tf.clip_by_global_norm(gradients, 0.5)[0], variables, strict=True))


def with_averages(loss: Any) -> Any:
    train_op = v1.train.MomentumOptimizer(0.05, 0.9, use_nesterov=True).minimize(loss)
    averages = v1.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies([train_op]):
        return averages.apply(v1.trainable_variables())


def in_turn(loss: Any) -> Any:
    first = v1.train.AdagradOptimizer(0.1).minimize(loss, var_list=v1.trainable_variables("one"))
    with tf.control_dependencies([first]):
        return [first, v1.train.FtrlOptimizer(0.1).minimize(loss, var_list=v1.trainable_variables("two"))]


def variables_by_hand(inputs: Any, labels: Any, training: bool) -> Any:
    """Makes variables with ``tf.Variable``, from tensors; one is of the old kind."""
    del training
    with tf.name_scope("layer"):
        w = tf.Variable(tf.zeros([2, 3]) + 0.1, name="w")
    out = tf.Variable(tf.ones([3, 1]) * [[1.0], [2.0], [3.0]], name="out")
    b = v1.get_variable("b", [1], initializer=v1.zeros_initializer(), use_resource=False)
    op = tf.tanh(inputs["x"] @ w) @ out + b
    if labels is None:
        return {"op": op}
    loss = squared(op, labels)
    return {"op": op}, loss, v1.train.AdamOptimizer(0.05).minimize(loss)


def never_run(inputs: Any, labels: Any, training: bool) -> Any:
    """Makes ops that no step runs: a reset, a summary, a Saver."""
    del training
    op = dense(inputs["x"], 1, "one")
    reset = [v1.assign(each, tf.zeros_like(each)) for each in v1.trainable_variables()]
    if labels is None:
        return {"op": op}
    loss = squared(op, labels)
    v1.summary.scalar("loss", loss)
    v1.train.Saver()
    tf.group(*reset, v1.global_variables_initializer())
    return {"op": op}, loss, v1.train.GradientDescentOptimizer(0.1).minimize(loss)


def checked(inputs: Any, labels: Any, training: bool) -> Any:
    """Branches and waits in the graph, as with a placeholder ``is_training``."""
    hidden = dense(inputs["x"], 3, None)
    mean = v1.get_variable("mean", [3], initializer=v1.zeros_initializer(), trainable=False)

    def of_batch() -> Any:
        with tf.control_dependencies([v1.assign_sub(mean, 0.1 * (mean - tf.reduce_mean(hidden, 0)))]):
            return tf.identity(tf.reduce_mean(hidden, 0))

    op = dense(hidden - tf.cond(tf.constant(training), of_batch, lambda: tf.identity(mean)), 1, None)
    if labels is None:
        return {"op": op}
    with tf.control_dependencies([v1.Assert(tf.reduce_all(tf.math.is_finite(op)), [op])]):
        loss = squared(op, labels)
    return {"op": op}, loss, v1.train.GradientDescentOptimizer(0.1).minimize(loss)


def recurrent(inputs: Any, labels: Any, training: bool) -> Any:
    """Goes through a ``tf.while_loop``."""
    del training
    w = v1.get_variable("w", [2, 2], initializer=v1.glorot_uniform_initializer(seed=1))
    state = tf.while_loop(lambda i, _: i < 3, lambda i, s: (i + 1, tf.tanh(s @ w + inputs["x"])), (0, inputs["x"]))[1]
    op = dense(state, 1, "out")
    if labels is None:
        return {"op": op}
    loss = squared(op, labels)
    return {"op": op}, loss, v1.train.AdamOptimizer(0.05).minimize(loss)


def regularized(inputs: Any, labels: Any, training: bool) -> Any:
    """Adds the losses of its collections itself; one variable is in parts."""
    del training
    with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(2)):
        op = dense(dense(inputs["x"], 4, "one", regularizer=lambda w: 0.01 * tf.reduce_sum(w**2)), 1, "two")
    if labels is None:
        return {"op": op}
    v1.losses.mean_squared_error(labels["y"], op)
    loss = v1.losses.get_total_loss()
    return {"op": op}, loss, v1.train.AdamOptimizer(0.05).minimize(loss)


def of_the_config(inputs: Any, labels: Any, training: bool) -> Any:
    """Leaves the optimizer, the updates and the losses in collections to the trainer."""
    hidden = dense(inputs["x"], 4, "one", regularizer=lambda w: 0.01 * tf.reduce_sum(w**2))
    op = dense(averaged(hidden, training), 1, "two")
    if labels is None:
        return {"op": op}
    error = tf.reduce_mean(tf.abs(op - labels["y"]))
    return {"op": op}, squared(op, labels), {"error": error}


OWN: dict[str, Callable[..., Any]] = {
    "counted": counted,
    "not counted": lowered_by(lambda loss: v1.train.AdamOptimizer(0.05).minimize(loss)),
    "a step of its own": lowered_by(a_step_of_its_own),
    "clipped": lowered_by(clipped),
    "averages": lowered_by(with_averages),
    "two train ops": lowered_by(in_turn),
    "variables by hand": variables_by_hand,
    "never run": never_run,
    "checked": checked,
    "recurrent": recurrent,
    "regularized": regularized,
}
"""Functions with a train op of their own, by kind."""


def session_loop(build: Callable[..., Any], arrays: Arrays, batch_size: int, steps: int) -> dict[str, Any]:
    """Trains a function as it was done: placeholders, and a ``session.run`` a step.

    Args:
        build: Function, with a train op or without one.
        arrays: Examples, in order.
        batch_size: Number of examples in a batch.
        steps: Number of updates.

    Returns:
        Values of the variables by their keys in a checkpoint, without the step.
    """
    with tf.Graph().as_default():
        v1.set_random_seed(0)
        step = v1.train.get_or_create_global_step()
        fed, compared = (
            {name: v1.placeholder(tf.float32, [None, *each.shape[1:]], name) for name, each in named.items()}
            for named in (arrays.inputs, arrays.labels)
        )
        parts = list(build(fed, compared, True))
        train_op = parts[2] if len(parts) > 2 else None
        if train_op is None or isinstance(train_op, dict):
            total = parts[1] + sum(v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES))
            with tf.control_dependencies(v1.get_collection(UPDATES)):
                train_op = v1.train.GradientDescentOptimizer(0.05).minimize(total)
        variables = [each for each in v1.global_variables() if each.op.name != step.op.name]
        with v1.Session() as session:
            session.run([v1.global_variables_initializer()])
            for i in range(steps):
                at = np.arange(i * batch_size, (i + 1) * batch_size) % len(arrays)
                feed = {each: arrays.inputs[name][at] for name, each in fed.items()}
                feed |= {each: arrays.labels[name][at] for name, each in compared.items()}
                session.run(train_op, feed)
            parts = {key: [session.run(each) for each in own] for key, own in variables_by_key(variables).items()}
            return {key: values[0] if len(values) == 1 else np.concatenate(values) for key, values in parts.items()}
