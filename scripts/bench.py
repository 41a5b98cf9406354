"""Steps per second of this trainer against other ways to train the same models.

Each figure comes from a process of its own; the contenders take turns, so that a machine that slows down slows all of
them; the table has medians, and ratios within the one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate


@dataclass(frozen=True)
class Case:
    """A model and its data: shapes of an example and the batch size."""

    batch_size: int
    examples: int
    shape: tuple[int, ...]
    classes: int
    learning_rate: float = 0.01


CASES = {
    "linear": Case(32, 3200, (1,), 0),
    "dense": Case(64, 6400, (64,), 10),
    "convolution": Case(64, 3200, (28, 28, 1), 10),
    "dense10m": Case(64, 3200, (784,), 10),
}
UNITS = {"dense": (128,), "dense10m": (2500, 2500, 700)}
CONTENDERS = ("trainer", "trainer_bare", "feed_dict", "monitored", "fit", "fit100", "graph", "graph_xla")


def data(case: Case) -> tuple[Any, Any]:
    """Returns examples and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(case.examples, *case.shape)).astype(np.float32)
    if case.classes == 0:
        return x, 3 * x + 1
    return x, rng.integers(0, case.classes, case.examples).astype(np.int32)


def net(name: str) -> Any:
    """Returns the model as Keras layers, which every contender takes."""
    import keras

    case, layers = CASES[name], keras.layers
    stack: list[Any] = [layers.Input(case.shape)]
    if name == "linear":
        stack += [layers.Dense(1)]
    elif name == "convolution":
        for filters in (32, 64):
            stack += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
        stack += [layers.Flatten(), layers.Dense(10)]
    else:
        stack += [*(layers.Dense(units, activation="relu") for units in UNITS[name]), layers.Dense(10)]
    return keras.Sequential(stack)


def loss_of(case: Case, outputs: Any, labels: Any) -> Any:
    """Returns the mean loss of a batch."""
    import tensorflow as tf

    if case.classes == 0:
        return tf.reduce_mean(tf.square(outputs - labels))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs))


class Model:
    """The net under this trainer's contract."""

    def __init__(self, name: str) -> None:
        self.case, self.net = CASES[name], net(name)

    def __call__(self, inputs: Any, training: bool) -> Any:
        """Returns ``op``."""
        return {"op": self.net(inputs["x"], training=training)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Returns the loss that all contenders have."""
        return loss_of(self.case, outputs["op"], labels["y"])


def rate_of(step: Callable[[], int], secs: float) -> float:
    """Returns steps per second of a function that runs some steps, after a warm-up."""
    limit = time.perf_counter() + secs / 4
    step()
    while time.perf_counter() < limit:
        step()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < secs:
        steps += step()
    return steps / (time.perf_counter() - began)


def trainer_rate(name: str, secs: float, *, bare: bool) -> float:
    """This trainer, with its default callbacks and a checkpoint about once a second, or with none."""
    import keras

    from callbacks.checkpoint import Checkpoint
    from callbacks.metrics import Metrics
    from callbacks.nan_guard import NanGuard
    from callbacks.progress import Progress
    from trainer.callback import Callback
    from trainer.callback_list import CallbackList
    from trainer.data.arrays import Arrays, InMemory
    from trainer.job import Job
    from trainer.runs.resume import Request, decide
    from trainer.schedule import Schedule
    from trainer.train import train

    class Watch(Callback):
        """Notes when which step was reached, and ends the run."""

        schedule = Schedule(every_n_secs=0.5)

        def __init__(self) -> None:
            self.seen: list[tuple[float, int]] = []

        def on_step_end(self, context: Any) -> None:
            now = time.perf_counter()
            if self.seen or context.record.global_step > 1000 or context.record.metrics:
                self.seen.append((now, context.record.global_step))
            if self.seen and now - self.seen[0][0] > secs * 1.5:
                context.request_stop("measured")

    case, watch = CASES[name], Watch()
    x, y = data(case)
    chosen: dict[str, Callback] = {"watch": watch}
    if not bare:
        chosen |= {"guard": NanGuard(), "metrics": Metrics(), "progress": Progress()}
        chosen |= {"checkpoint": Checkpoint(every_n_epochs=None, every_n_secs=1.0)}
    with tempfile.TemporaryDirectory() as folder:
        from datetime import datetime

        start = decide(Request("never", Path(folder), name, None, "model", datetime(2026, 1, 1)))
        job = Job(
            name=name,
            make_model=lambda: Model(name),
            make_optimizer=lambda _step, _scale: keras.optimizers.SGD(case.learning_rate),
            data=InMemory(Arrays({"x": x}, {"y": y}), case.batch_size),
            callbacks=CallbackList(chosen),
            start=start,
            epochs=10**7,
        )
        train(job)
    # The first third of the time is the warm-up: calls grow to their length, XLA compiles.
    first = watch.seen[len(watch.seen) // 3]
    last = watch.seen[-1]
    return (last[1] - first[1]) / (last[0] - first[0])


def session_rate(name: str, secs: float, *, monitored: bool) -> float:
    """A session loop with feed_dict, plain or in a MonitoredTrainingSession."""
    import tensorflow as tf

    v1, case = tf.compat.v1, CASES[name]
    x, y = data(case)
    rng = np.random.default_rng(0)
    with tf.Graph().as_default():
        fed = v1.placeholder(tf.float32, [None, *case.shape]), v1.placeholder(y.dtype, [None, *y.shape[1:]])
        v1.train.get_or_create_global_step()
        loss = loss_of(case, net(name)(fed[0], training=True), fed[1])
        step = v1.train.GradientDescentOptimizer(case.learning_rate).minimize(loss, v1.train.get_global_step())
        initialise = v1.global_variables_initializer()
        session = v1.train.MonitoredTrainingSession() if monitored else v1.Session()
        with session:
            if not monitored:
                session.run(initialise)

            def run() -> int:
                index = rng.integers(0, case.examples, case.batch_size)
                session.run([step, loss], {fed[0]: x[index], fed[1]: y[index]})
                return 1

            return rate_of(run, secs)


def fit_rate(name: str, secs: float, *, steps_per_execution: int) -> float:
    """Keras ``fit``."""
    import keras

    case = CASES[name]
    x, y = data(case)
    model = net(name)
    loss: Any = "mse" if case.classes == 0 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(case.learning_rate)
    model.compile(optimizer, loss, steps_per_execution=steps_per_execution)
    steps = case.examples // case.batch_size

    def run() -> int:
        model.fit(x, y, batch_size=case.batch_size, epochs=1, verbose=0)
        return steps

    return rate_of(run, secs)


def graph_rate(name: str, secs: float, *, compiled: bool) -> float:
    """A graph made by hand for speed: gathered batches, many steps in one call, nothing else."""
    import tensorflow as tf

    v1, case = tf.compat.v1, CASES[name]
    x, y = data(case)
    many = 1000 if name == "linear" else 100
    with tf.Graph().as_default():
        model = net(name)
        variables = v1.trainable_variables()
        local = [v1.GraphKeys.LOCAL_VARIABLES]
        fed = v1.placeholder(tf.float32, x.shape), v1.placeholder(y.dtype, y.shape)
        tables = [
            v1.get_variable(f"table{i}", initializer=each, trainable=False, collections=local, use_resource=True)
            for i, each in enumerate(fed)
        ]

        def update(inputs: Any, labels: Any) -> Any:
            loss = loss_of(case, model(inputs, training=True), labels)
            for gradient, variable in zip(tf.gradients(loss, variables), variables, strict=True):
                variable.assign_sub(case.learning_rate * gradient)
            return loss

        def batches(steps: int) -> Any:
            index = tf.random.uniform([steps, case.batch_size], 0, case.examples, tf.int32)
            return [tf.gather(table, index) for table in tables]

        def whole(inputs: Any, labels: Any) -> Any:
            return tf.while_loop(
                lambda i, _: i < many,
                lambda i, _: (i + 1, update(inputs[i], labels[i])),
                [0, 0.0],
                parallel_iterations=1,
            )

        def plain() -> Any:
            def body(i: Any, _: Any) -> Any:
                inputs, labels = batches(1)
                return i + 1, update(inputs[0], labels[0])

            return tf.while_loop(lambda i, _: i < many, body, [0, 0.0], parallel_iterations=1)

        if compiled:
            out = tf.function(whole, autograph=False, jit_compile=True)(*batches(many))
        else:
            out = tf.function(plain, autograph=False)()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(v1.local_variables_initializer(), {fed[0]: x, fed[1]: y})
            call = session.make_callable(out)

            def run() -> int:
                call()
                return many

            return rate_of(run, secs)


RATES: dict[str, Callable[[str, float], float]] = {
    "trainer": lambda name, secs: trainer_rate(name, secs, bare=False),
    "trainer_bare": lambda name, secs: trainer_rate(name, secs, bare=True),
    "feed_dict": lambda name, secs: session_rate(name, secs, monitored=False),
    "monitored": lambda name, secs: session_rate(name, secs, monitored=True),
    "fit": lambda name, secs: fit_rate(name, secs, steps_per_execution=1),
    "fit100": lambda name, secs: fit_rate(name, secs, steps_per_execution=100),
    "graph": lambda name, secs: graph_rate(name, secs, compiled=False),
    "graph_xla": lambda name, secs: graph_rate(name, secs, compiled=True),
}


def in_a_process(case: str, contender: str, secs: float) -> float:
    """Returns the rate as measured in a fresh process."""
    command = [sys.executable, __file__, "--worker", case, contender, str(secs)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        sys.exit(f"{contender} on {case} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split("RATE")[-1])


def compare(cases: list[str], contenders: list[str], rounds: int, secs: float) -> dict[str, dict[str, float]]:
    """Returns the median rates by case and contender."""
    medians = {}
    for case in cases:
        rates: dict[str, list[float]] = {contender: [] for contender in contenders}
        for _ in range(rounds):
            for contender in contenders:
                rates[contender].append(in_a_process(case, contender, secs))
        medians[case] = {contender: statistics.median(each) for contender, each in rates.items()}
        print(f"{case}: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in medians[case].items()), flush=True)
    return medians


def table(medians: dict[str, dict[str, float]]) -> str:
    """Returns steps per second and how many times faster this trainer is."""
    rows = []
    for case, rates in medians.items():
        limit = max(rates[name] for name in rates if name.startswith("graph"))
        others = {name: rate for name, rate in rates.items() if not name.startswith("trainer")}
        rows.append([case, *(f"{rates[name]:,.0f}" for name in rates)])
        ratios = [f"{rates['trainer'] / rate:.2f}x" for rate in others.values()]
        bare = f"{rates['trainer'] / rates['trainer_bare']:.3f}x"
        rows.append([f"  against it ({rates['trainer'] / limit:.2f} of the limit)", "", bare, *ratios])
    return tabulate(rows, headers=["steps/s", *next(iter(medians.values()))], disable_numparse=True, stralign="right")


def main() -> None:
    """The command line of ``scripts/bench``."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a second each, linear and dense")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=4.0, help="of each measurement, after a warm-up")
    parser.add_argument("--json", type=Path, help="a file for the medians")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        from trainer.startup import import_tensorflow

        import_tensorflow()
        case, contender, secs = chosen.worker
        print("RATE", RATES[contender](case, float(secs)))
        return
    if chosen.quick:
        chosen.cases, chosen.rounds, chosen.secs = ["linear", "dense"], 1, 1.0
    medians = compare(chosen.cases, list(CONTENDERS), chosen.rounds, chosen.secs)
    print(table(medians))
    if chosen.json:
        chosen.json.write_text(json.dumps({"steps_per_sec": medians, "cores": os.cpu_count()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
