"""Small models, data and jobs without Hydra for tests, and readers of their results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from trainer.callback import Callback
from trainer.data.arrays import Arrays, InMemory
from trainer.runs.saved_checkpoints import resume_prefixes
from trainer.runs.settings import Settings
from trainer.state import SECS_KEYS, RunState
from trainer.tensorflow_import import SessionSettings
from trainer.training.callback_list import CallbackList
from trainer.training.job import Job
from trainer.training.preparation import PreparedRun, prepare
from trainer.training.resume import Request, decide
from trainer.training.train import train_job


class Line:
    """Linear model ``y = x @ w + b`` with ``loss`` and one metric."""

    def __init__(self) -> None:
        self.w = tf.compat.v1.get_variable("w", [2, 1])
        self.b = tf.compat.v1.get_variable("b", [1], initializer=tf.compat.v1.zeros_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.w + self.b}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))

    def metrics(self, outputs: Any, labels: Any) -> Any:
        return {"error": tf.reduce_mean(tf.abs(outputs["op"] - labels["y"]))}


class Unsteady(Line):
    """Model whose inference output depends on the time, so that an export never equals the live session."""

    def __init__(self) -> None:
        super().__init__()
        self.began = time.time()

    def __call__(self, inputs: Any, training: bool) -> Any:
        op = super().__call__(inputs, training)["op"]
        return {"op": op if training else op + tf.cast(tf.timestamp() - self.began, tf.float32)}


class Two:
    """Model with a head, and a body of Keras layers with moving averages."""

    head = 1

    def __init__(self) -> None:
        self.body = keras.Sequential([keras.layers.Dense(4), keras.layers.BatchNormalization()], name="body")
        self.top = keras.layers.Dense(self.head, name="head")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.top(self.body(inputs["x"], training=training))}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


def points(examples: int = 40) -> Arrays:
    """Returns x [examples, 2] and y [examples, 1] on a plane."""
    x = np.random.default_rng(1).normal(size=(examples, 2)).astype(np.float32)
    return Arrays({"x": x}, {"y": (x @ np.float32([[2.0], [-1.0]]) + 0.5).astype(np.float32)})


def dataset() -> tf.data.Dataset:
    """Returns the examples of ``points`` as a pipeline of single examples."""
    arrays = points()
    return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))


def job(directory: Path, callbacks: Mapping[str, Callback] | None = None, resume: str = "auto", **changes: Any) -> Job:
    """Returns a job of 5 steps per epoch in the directory; the default callback saves each epoch."""
    named = {"checkpoint": Checkpoint(every_n_epochs=1)} if callbacks is None else callbacks
    listed = CallbackList(named)
    prefixes = resume_prefixes(listed.savers)
    start = decide(Request(resume, directory.parent, "test", directory, prefixes, datetime(2026, 11, 23)))
    parts: dict[str, Any] = {
        "name": "test",
        "make_model": Line,
        "make_optimizer": lambda _step, _scale: keras.optimizers.Adam(0.05),
        "data": InMemory(points(), batch_size=8),
        "epochs": 3,
        "compile": "off",
    }
    return Job(callbacks=listed, start=start, **{**parts, **changes})


def run(directory: Path, callbacks: Mapping[str, Callback] | None = None, **changes: Any) -> RunState:
    """Trains and returns the final state."""
    return train_job(job(directory, callbacks, **changes))


def prepared(directory: Path, callbacks: Mapping[str, Callback], epochs: int = 3) -> PreparedRun:
    """Returns a run whose start is decided, as the command line and ``fit`` do before they import TensorFlow."""
    settings = Settings(
        root=directory.parent,
        name="test",
        run_dir=directory,
        resume="auto",
        may_change=False,
        warm_start=None,
        trainable=None,
        seed=0,
        epochs=epochs,
        steps_per_epoch=None,
        steps_per_call=None,
        compile="off",
        session=SessionSettings(),
    )
    return prepare(settings, CallbackList(callbacks), lambda _directory: [])


def variables(prefix: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Returns all variables of a checkpoint except pipeline states, read with plain TensorFlow."""
    reader = tf.train.load_checkpoint(str(prefix))
    dtypes = reader.get_variable_to_dtype_map()
    return {name: reader.get_tensor(name) for name in dtypes if dtypes[name] != tf.variant}


def timeless(line: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a line of ``metrics.jsonl`` without what a clock says."""
    return {name: value for name, value in line.items() if name not in ("steps_per_sec", *SECS_KEYS)}


def assert_same_bits(a: Path, b: Path) -> None:
    """Compares two checkpoints bit for bit."""
    first, second = variables(a), variables(b)
    assert first.keys() == second.keys()
    different = [name for name in first if np.asarray(first[name]).tobytes() != np.asarray(second[name]).tobytes()]
    assert not different
