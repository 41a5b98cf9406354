"""Steps per second of this trainer, against other ways to train the same models."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.cases import CASES, data, loss_of, net
from benchmarks.processes import Figures, in_a_process, medians
from benchmarks.trainer_job import train_case


def rate_of(step: Callable[[], int], secs: float) -> float:
    """Returns the steps per second of a function, after a warm-up.

    Args:
        step: Function that runs some steps and returns their number.
        secs: Seconds to measure, after a warm-up of half as long.
    """
    limit, calls = time.perf_counter() + secs / 2, 0
    while calls < 3 or time.perf_counter() < limit:
        step()
        calls += 1
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < secs:
        steps += step()
    return steps / (time.perf_counter() - began)


def trainer_rates(name: str, secs: float, *, bare: bool = False, kept: int = 0) -> Figures:
    """Returns the rates of this trainer, with its default callbacks and about one checkpoint a second, or bare.

    Args:
        name: Name of the case.
        secs: Seconds to measure, after a warm-up of half as long.
        bare: True for a run without callbacks.
        kept: Number of existing checkpoints; if not 0, none is removed.

    Returns:
        Steps per second over all, in the first tenth, and in the last tenth.
    """
    from callbacks.checkpoint import Checkpoint
    from callbacks.evaluate import Evaluate
    from callbacks.metrics import Metrics
    from callbacks.nan_guard import NanGuard
    from callbacks.progress import Progress
    from trainer.callback import Callback
    from trainer.schedule import Schedule

    class Watch(Callback):
        """Recorder of steps and times, which ends the run."""

        schedule = Schedule(every_n_secs=0.25)

        def __init__(self) -> None:
            self.seen: list[tuple[float, int]] = []

        def on_train_begin(self, context: Any) -> None:
            if kept:
                keep_checkpoints(context.run.checkpoints, kept)

        def on_step_end(self, context: Any) -> None:
            self.seen.append((time.perf_counter(), context.record.global_step))
            if self.seen[-1][0] - self.seen[0][0] > secs * 1.5:
                context.request_stop("measured")

    watch = Watch()
    callbacks: dict[str, Callback] = {"watch": watch}
    if not bare:
        callbacks |= {"guard": NanGuard(), "evaluate": Evaluate(), "metrics": Metrics(), "progress": Progress()}
        keep = 0 if kept else 5
        callbacks["checkpoint"] = Checkpoint(every_n_epochs=None, every_n_secs=1.0, max_to_keep=keep)
    with tempfile.TemporaryDirectory() as folder:
        train_case(CASES[name], Path(folder) / "run", callbacks)
    # In the warm-up, calls grow to their full length and XLA compiles.
    measured = [each for each in watch.seen if each[0] - watch.seen[0][0] >= secs / 2]
    tenth = max(2, len(measured) // 10)
    return {
        "steps_per_sec": rate_between(measured),
        "first_tenth": rate_between(measured[:tenth]),
        "last_tenth": rate_between(measured[-tenth:]),
    }


def rate_between(seen: list[tuple[float, int]]) -> float:
    """Returns the steps per second between the first and the last pair of time and step."""
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])


def keep_checkpoints(directory: Path, count: int) -> None:
    """Writes small checkpoints, as if left by an earlier run."""
    from trainer.checkpoints.record import CommitRecord
    from trainer.checkpoints.store import CheckpointStore

    directory.mkdir(parents=True)
    store = CheckpointStore(directory, "model")
    for number in range(count):
        for suffix in (".index", ".data-00000-of-00001", ".meta"):
            (directory / f"model-{number}{suffix}").write_bytes(b"kept")
        # Not complete, so that the run does not resume from them.
        store.commit(CommitRecord(f"model-{number}", number, 0, number, {"loss": 1.0}, {}, False, 0.0, ""))


def session_rate(name: str, secs: float, *, monitored: bool) -> float:
    """Returns the rate of a session loop with feed_dict, plain or in a MonitoredTrainingSession."""
    import tensorflow as tf

    v1, case = tf.compat.v1, CASES[name]
    x, y = data(case)
    rng = np.random.default_rng(0)
    with tf.Graph().as_default():
        fed = v1.placeholder(tf.float32, [None, *case.shape]), v1.placeholder(y.dtype, [None, *y.shape[1:]])
        v1.train.get_or_create_global_step()
        loss = loss_of(case, net(case)(fed[0], training=True), fed[1])
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
    """Returns the rate of Keras ``fit``."""
    import keras

    case = CASES[name]
    x, y = data(case)
    model = net(case)
    loss: Any = "mse" if case.classes == 0 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(case.learning_rate)
    model.compile(optimizer, loss, steps_per_execution=steps_per_execution)
    steps = case.examples // case.batch_size

    def run() -> int:
        model.fit(x, y, batch_size=case.batch_size, epochs=1, verbose=0)
        return steps

    return rate_of(run, secs)


def graph_rate(name: str, secs: float, *, compiled: bool) -> float:
    """Returns the rate of a hand-optimised graph: the same shuffled batches and optimizer, many steps in one call."""
    import keras
    import tensorflow as tf

    v1, case = tf.compat.v1, CASES[name]
    x, y = data(case)
    many, steps_per_epoch = 1000 if name == "linear" else 100, case.examples // case.batch_size
    with tf.Graph().as_default():
        model = net(case)
        variables = v1.trainable_variables()
        global_step = v1.train.get_or_create_global_step()
        optimizer = keras.optimizers.SGD(case.learning_rate)
        optimizer.build(variables)
        local = [v1.GraphKeys.LOCAL_VARIABLES]
        fed = v1.placeholder(tf.float32, x.shape), v1.placeholder(y.dtype, y.shape)
        tables = [
            v1.get_variable(f"table{i}", initializer=each, trainable=False, collections=local, use_resource=True)
            for i, each in enumerate(fed)
        ]

        def update(inputs: Any, labels: Any) -> Any:
            loss = loss_of(case, model(inputs, training=True), labels)
            optimizer.apply(tf.gradients(loss, variables), variables)
            global_step.assign_add(1)
            return loss

        def batches(step: Any, steps: int) -> Any:
            at = step + tf.range(steps, dtype=tf.int64)
            indices = (at % steps_per_epoch)[:, tf.newaxis] * case.batch_size + tf.range(
                case.batch_size, dtype=tf.int64
            )
            seeds = tf.stack([at // steps_per_epoch, tf.ones_like(at), tf.zeros_like(at)], 1)
            index = tf.raw_ops.RandomIndexShuffle(
                index=tf.reshape(indices, [-1]),
                seed=tf.repeat(seeds, case.batch_size, axis=0),
                max_index=tf.constant(case.examples - 1, tf.int64),
                rounds=4,
            )
            return [tf.gather(table, tf.reshape(index, [steps, case.batch_size])) for table in tables]

        def whole(inputs: Any, labels: Any) -> Any:
            return tf.while_loop(
                lambda i, _: i < many,
                lambda i, _: (i + 1, update(inputs[i], labels[i])),
                [0, 0.0],
                parallel_iterations=1,
            )

        def plain() -> Any:
            def body(i: Any, _: Any) -> Any:
                inputs, labels = batches(global_step.read_value(), 1)
                return i + 1, update(inputs[0], labels[0])

            return tf.while_loop(lambda i, _: i < many, body, [0, 0.0], parallel_iterations=1)

        if compiled:
            out = tf.function(whole, autograph=False, jit_compile=True)(*batches(global_step.read_value(), many))
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
    "trainer": lambda name, secs: trainer_rates(name, secs)["steps_per_sec"],
    "trainer_bare": lambda name, secs: trainer_rates(name, secs, bare=True)["steps_per_sec"],
    "feed_dict": lambda name, secs: session_rate(name, secs, monitored=False),
    "monitored": lambda name, secs: session_rate(name, secs, monitored=True),
    "fit": lambda name, secs: fit_rate(name, secs, steps_per_execution=1),
    "fit100": lambda name, secs: fit_rate(name, secs, steps_per_execution=100),
    "graph": lambda name, secs: graph_rate(name, secs, compiled=False),
    "graph_xla": lambda name, secs: graph_rate(name, secs, compiled=True),
}


def measure_rate(case: str, contender: str, secs: float) -> Figures:
    """Worker: the steps per second of one contender."""
    return {"steps_per_sec": RATES[contender](case, secs)}


def compare(cases: list[str], rounds: int, secs: float) -> dict[str, Figures]:
    """Returns the median rates by case and contender; the contenders take turns."""
    found = {}
    for case in cases:
        rates = [
            {each: in_a_process("rate", case=case, contender=each, secs=secs)["steps_per_sec"] for each in RATES}
            for _ in range(rounds)
        ]
        found[case] = medians(rates)
    return found


def speed_table(found: dict[str, Figures]) -> str:
    """Returns a table of steps per second, and of the speed of this trainer relative to each contender."""
    rows = []
    for case, rates in found.items():
        rows.append([case, *(f"{rate:,.0f}" for rate in rates.values())])
        rows.append(["  trainer against it", *(f"{rates['trainer'] / rate:.2f}x" for rate in rates.values())])
    return tabulate(rows, headers=["steps/s", *RATES], disable_numparse=True, stralign="right")


def flatness(rounds: int, secs: float) -> Figures:
    """Returns the speed of ``linear`` after many epochs and with many checkpoints, relative to a new run."""
    runs = [
        {
            "fresh": in_a_process("trainer", name="linear", secs=secs)["steps_per_sec"],
            "kept_1000": in_a_process("trainer", name="linear", secs=secs, kept=1000)["steps_per_sec"],
            **{f"long_{name}": rate for name, rate in in_a_process("trainer", name="linear", secs=10 * secs).items()},
        }
        for _ in range(rounds)
    ]
    found = medians(runs)
    return {
        "with_1000_checkpoints": found["kept_1000"] / found["fresh"],
        "after_10_times_the_epochs": found["long_last_tenth"] / found["long_first_tenth"],
    }
