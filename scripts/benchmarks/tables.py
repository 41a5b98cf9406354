"""Large embedding tables: steps that touch a few rows, and saves meanwhile."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import Figures, in_a_process, medians
from benchmarks.speed import rate_of

TABLES = {"1M x 32": (1_000_000, 32), "10M x 16": (10_000_000, 16)}
"""Rows and columns of a table by its name."""

EXAMPLES, WORDS, BATCH, CLASSES = 20_000, 20, 64, 10
SECS_BETWEEN_SAVES = 2.0


def examples(rows: int) -> tuple[Any, Any]:
    """Returns sentences of random words, int32 [examples, words], and their classes."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, rows, (EXAMPLES, WORDS)).astype(np.int32)
    return words, rng.integers(0, CLASSES, EXAMPLES).astype(np.int32)


def net(rows: int, columns: int) -> Any:
    """Returns the model of all contenders."""
    import keras

    layers = keras.layers
    stack = [keras.Input((WORDS,), dtype="int32"), layers.Embedding(rows, columns), layers.GlobalAveragePooling1D()]
    return keras.Sequential([*stack, layers.Dense(CLASSES)])


def trainer_table(name: str, secs: float, *, save: bool, one_by_one: bool = False) -> Figures:
    """Returns the rate of this trainer, and its longest call against the median one.

    Args:
        name: Name of the table.
        secs: Seconds to measure, after a warm-up of half as long.
        save: Whether to save every two seconds.
        one_by_one: Whether each call has one step, so that the longest step is seen.
    """
    import keras

    from callbacks.checkpoint import Checkpoint
    from trainer.callback import Callback
    from trainer.data.arrays import Arrays, InMemory
    from trainer.models.keras_model import KerasModel
    from trainer.schedule import Schedule
    from trainer.training.callback_list import CallbackList
    from trainer.training.job import Job
    from trainer.training.resume import Request, decide
    from trainer.training.train import train_job

    calls: list[tuple[float, int]] = []

    class Watch(Callback):
        """Recorder of the end of each call, which ends the run."""

        schedule = Schedule(every_n_secs=0.1)

        def on_call_end(self, _context: Any, steps: Any) -> None:
            calls.append((time.perf_counter(), len(steps.values)))

        def on_step_end(self, context: Any) -> None:
            if calls[-1][0] - calls[0][0] > 1.5 * secs:
                context.request_stop("measured")

    callbacks: dict[str, Callback] = {"watch": Watch()}
    if save:
        callbacks["checkpoint"] = Checkpoint(every_n_epochs=None, every_n_secs=SECS_BETWEEN_SAVES, max_to_keep=2)
    words, classes = examples(TABLES[name][0])

    def compiled() -> Any:
        model = net(*TABLES[name])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        train_job(
            Job(
                name="table",
                callbacks=CallbackList(callbacks),
                start=decide(Request("auto", directory.parent, "table", directory, ("model",), datetime(2026, 1, 1))),
                make_model=lambda: KerasModel(compiled()),
                make_optimizer=lambda _step, _scale: keras.optimizers.SGD(0.01),
                data=InMemory(Arrays({"words": words}, {"classes": classes}), BATCH),
                epochs=10**7,
                steps_per_call=1 if one_by_one else None,
            )
        )
    measured = [each for each in calls if each[0] - calls[0][0] >= secs / 2]
    pairs = list(itertools.pairwise(measured))
    per_step = [(end - begin) / steps for (begin, _), (end, steps) in pairs]
    rate = sum(steps for _, (_, steps) in pairs) / (measured[-1][0] - measured[0][0])
    return {"rate": rate, "longest": max(per_step) / statistics.median(per_step), "secs": max(per_step)}


def fit_table(name: str, secs: float) -> Figures:
    """Returns the rate of Keras ``fit``."""
    import keras

    model = net(*TABLES[name])
    model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    words, classes = (each[: 100 * BATCH] for each in examples(TABLES[name][0]))

    def run() -> int:
        model.fit(words, classes, batch_size=BATCH, epochs=1, verbose=0)
        return 100

    return {"rate": rate_of(run, secs)}


def session_table(name: str, secs: float) -> Figures:
    """Returns the rate of a session loop with feed_dict."""
    import tensorflow as tf

    v1 = tf.compat.v1
    words, classes = examples(TABLES[name][0])
    rng = np.random.default_rng(0)
    with tf.Graph().as_default(), v1.Session() as session:
        fed = v1.placeholder(tf.int32, [None, WORDS]), v1.placeholder(tf.int32, [None])
        model = net(*TABLES[name])
        logits = model(fed[0], training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=fed[1], logits=logits))
        step = v1.train.GradientDescentOptimizer(0.01).minimize(loss)
        session.run(v1.global_variables_initializer())

        def run() -> int:
            index = rng.integers(0, EXAMPLES, BATCH)
            session.run([step, loss], {fed[0]: words[index], fed[1]: classes[index]})
            return 1

        return {"rate": rate_of(run, secs)}


CONTENDERS: dict[str, Callable[[str, float], Figures]] = {
    "trainer": lambda name, secs: trainer_table(name, secs, save=False),
    "trainer, saving": lambda name, secs: trainer_table(name, secs, save=True),
    "trainer, a step a call": lambda name, secs: trainer_table(name, secs, save=False, one_by_one=True),
    "trainer, a step a call, saving": lambda name, secs: trainer_table(name, secs, save=True, one_by_one=True),
    "keras": fit_table,
    "feed_dict": session_table,
}


def measure_table(name: str, contender: str, secs: float) -> Figures:
    """Worker: figures of one contender."""
    return CONTENDERS[contender](name, secs)


def compare_tables(rounds: int, secs: float) -> Figures:
    """Returns rates and pauses by table, and the ratios that matter."""
    figures: Figures = {}
    for name in TABLES:
        measured = []
        for _ in range(rounds):
            found: Figures = {}
            for contender in CONTENDERS:
                values = in_a_process("table", name=name, contender=contender, secs=max(secs, 8.0))
                found[f"{contender}, steps/s"] = values["rate"]
                if "longest" in values:
                    found[f"{contender}, longest step / median"] = values["longest"]
                    found[f"{contender}, longest step, ms"] = 1000 * values["secs"]
            measured.append(found)
        one = medians(measured)
        one["saving / not saving"] = one["trainer, saving, steps/s"] / one["trainer, steps/s"]
        for other in ("keras", "feed_dict"):
            one[f"trainer / {other}"] = one["trainer, steps/s"] / one[f"{other}, steps/s"]
        figures |= {f"{name}: {what}": value for what, value in one.items()}
    return figures
