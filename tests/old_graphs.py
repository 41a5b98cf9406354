"""Directories in the form that ten-year-old graph-mode code writes; made with plain TensorFlow only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

W = np.float32([[2.0], [-1.0]])
B = np.float32([0.5])
X = np.float32([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def write_old_run(directory: Path, scale: float = 1.0, **saver: Any) -> None:
    """Writes an old run: reference variables on a missing GPU, Adam, summaries, a plain Saver with absolute paths.

    ``prediction`` is ``scale * (x @ W) + B``, and twice that if ``is_training`` is fed as true.
    """
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as session:
        x = v1.placeholder(tf.float32, name="x")
        y = v1.placeholder(tf.float32, [None, 1], name="y")
        is_training = v1.placeholder_with_default(False, [], name="is_training")
        with tf.device("/device:GPU:0"):
            w = variable("layer/w", scale * W)
            b = variable("layer/b", B)
            result = tf.add(tf.matmul(x, w), b, name="layer/add")
        prediction = tf.identity(v1.cond(is_training, lambda: 2 * result, lambda: result), name="prediction")
        loss = tf.reduce_mean(tf.square(prediction - y), name="loss")
        v1.summary.scalar("loss_summary", loss)
        step = v1.Variable(0, trainable=False, name="global_step", dtype=tf.int64, use_resource=False)
        v1.train.AdamOptimizer(0.0).minimize(loss, step, name="train_op")
        session.run(v1.global_variables_initializer())
        writer = v1.train.Saver(**saver)
        for _ in range(2):
            session.run("train_op", {"x:0": X, "y:0": X[:, :1]})
            writer.save(session, str(directory.absolute() / "model.ckpt"), step)


def variable(name: str, value: Any, **options: Any) -> Any:
    """Returns a reference variable, which current code no longer makes."""
    return v1.get_variable(name, initializer=tf.constant(value), use_resource=False, **options)


def save_graph(directory: Path, build: Any, **saver: Any) -> Path:
    """Saves the graph that a function builds, and returns the prefix."""
    with tf.Graph().as_default(), v1.Session() as session:
        build()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        directory.mkdir(parents=True, exist_ok=True)
        return Path(v1.train.Saver(**saver).save(session, str(directory / "model.ckpt")))
