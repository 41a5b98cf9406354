"""``trainer.fit`` against ``keras.Model.fit`` on the same Keras model, in one process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, data, net
from benchmarks.processes import Figures, in_a_process, medians


def measure_fit(name: str, epochs: int) -> Figures:
    """Returns the seconds of whole calls, and the steps per second of the last epochs.

    Args:
        name: Name of the case.
        epochs: Number of epochs of each call.
    """
    import keras

    import trainer

    case = CASES[name]
    x, y = data(case)
    steps = len(x) // case.batch_size

    def compiled() -> Any:
        model = net(case)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if case.classes else "mse"
        model.compile(keras.optimizers.SGD(case.learning_rate), loss)
        model(x[:2])
        return model

    ends: list[float] = []
    times = keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: ends.append(time.perf_counter()))
    model = compiled()
    began = time.perf_counter()
    model.fit(x, y, batch_size=case.batch_size, epochs=epochs, verbose=0, callbacks=[times])
    of_keras = time.perf_counter() - began
    model = compiled()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = trainer.fit(
            model, (x, y), epochs=epochs, batch_size=case.batch_size, directory=Path(folder) / "run", verbose=False
        )
        of_trainer = time.perf_counter() - began
    rate = steps * (epochs - 1) / (ends[-1] - ends[0])
    last = sorted(each["steps_per_sec"] for each in result.metrics[epochs // 2 :])
    return {
        f"{name}: keras.Model.fit, secs": of_keras,
        f"{name}: trainer.fit, secs": of_trainer,
        f"{name}: keras.Model.fit, steps/s": rate,
        f"{name}: trainer.fit, steps/s": last[len(last) // 2],
    }


def compare_fits(rounds: int) -> Figures:
    """Returns the figures of two small nets, each from a separate process."""
    figures: Figures = {}
    for name in ("linear", "dense"):
        figures |= medians([in_a_process("fit", name=name, epochs=20) for _ in range(rounds)])
    return figures
