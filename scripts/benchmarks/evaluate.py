"""Evaluation of a validation part, against Keras ``evaluate`` on the same net and examples."""

from __future__ import annotations

import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import nets
from benchmarks.cases import CASES, data, net
from benchmarks.processes import Figures, in_a_process, medians

PARTS = {"MobileNetV2": 1_600, "dense": 64_000}
"""Examples of the validation part of each net."""

BATCH = 64
ROUNDS = 5
"""Evaluations that are timed after a first one."""


def parts(name: str) -> tuple[Any, Any, Any]:
    """Returns a compiled net, and the examples and classes of its validation part."""
    import keras

    if name == "MobileNetV2":
        model = nets.compiled(name)
        x, y = nets.examples(model)
    else:
        model = net(CASES[name])
        model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        x, y = data(CASES[name])
    times = -(-PARTS[name] // len(x))
    return model, np.concatenate([x] * times)[: PARTS[name]], np.concatenate([y] * times)[: PARTS[name]]


def measure_evaluations(name: str, contender: str) -> Figures:
    """Worker: seconds of an evaluation, the median of several.

    Args:
        name: Name of the net.
        contender: ``arrays`` or ``dataset``, this trainer's two kinds of parts, or ``keras`` and ``keras dataset``.
    """
    secs = sorted(_keras(name, contender) if contender.startswith("keras") else _trainer(name, contender))
    return {"secs": secs[len(secs) // 2]}


def _keras(name: str, contender: str) -> list[float]:
    import tensorflow as tf

    model, x, y = parts(name)
    given: dict[str, Any] = {"x": x, "y": y, "batch_size": BATCH}
    if contender.endswith("dataset"):
        given = {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).prefetch(2)}
    secs = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        model.evaluate(**given, verbose=0)
        secs.append(time.perf_counter() - began)
    return secs[1:]


def _trainer(name: str, contender: str) -> list[float]:
    import keras
    import tensorflow as tf

    from callbacks.evaluate import Evaluate
    from trainer.data.arrays import Arrays, InMemory
    from trainer.data.streamed import Streamed
    from trainer.models.keras_model import KerasModel
    from trainer.training.callback_list import CallbackList
    from trainer.training.job import Job
    from trainer.training.resume import Request, decide
    from trainer.training.train import train_job

    secs: list[float] = []

    class Timed(Evaluate):
        """Evaluation that records its time."""

        def on_step_end(self, context: Any) -> None:
            began = time.perf_counter()
            super().on_step_end(context)
            secs.append(time.perf_counter() - began)

    _, x, y = parts(name)
    few = Arrays({"x": x[:BATCH]}, {"y": y[:BATCH]})

    def pairs(count: int) -> Any:
        return tf.data.Dataset.from_tensor_slices(({"x": x[:count]}, {"y": y[:count]}))

    source: Any = InMemory(few, BATCH, validation=Arrays({"x": x}, {"y": y}))
    if contender == "dataset":
        source = Streamed(lambda: pairs(BATCH), batch_size=BATCH, validation=lambda: pairs(len(x)))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        train_job(
            Job(
                name="evaluation",
                callbacks=CallbackList({"evaluate": Timed()}),
                start=decide(Request("auto", directory.parent, "e", directory, ("model",), datetime(2026, 1, 1))),
                make_model=lambda: KerasModel(parts(name)[0]),
                make_optimizer=lambda _step, _scale: keras.optimizers.SGD(0.01),
                data=source,
                epochs=ROUNDS + 1,
            )
        )
    return secs[1:]


def compare_evaluations(rounds: int) -> Figures:
    """Returns seconds and ratios of both nets."""
    figures: Figures = {}
    for name in PARTS:
        contenders = ("arrays", "keras", "dataset", "keras dataset")
        one = medians(
            [
                {each: in_a_process("evaluate", name=name, contender=each)["secs"] for each in contenders}
                for _ in range(rounds)
            ]
        )
        figures |= {f"{name}: {each}, secs": secs for each, secs in one.items()}
        figures[f"{name}: keras / trainer, arrays"] = one["keras"] / one["arrays"]
        figures[f"{name}: keras / trainer, data set"] = one["keras dataset"] / one["dataset"]
    return figures
