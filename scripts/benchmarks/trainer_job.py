"""Job of this trainer for a case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, data, loss_of, net


class Model:
    """Net of a case under this trainer's model contract."""

    def __init__(self, case: Case) -> None:
        self.case, self.net = case, net(case)

    def __call__(self, inputs: Any, training: bool) -> Any:
        """Returns the outputs: ``op``."""
        return {"op": self.net(inputs["x"], training=training)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Returns the loss of all contenders."""
        return loss_of(self.case, outputs["op"], labels["y"])


def train_case(case: Case, directory: Path, callbacks: Mapping[str, Any], **changes: Any) -> None:
    """Trains in a new directory until the epochs are complete or a callback requests a stop.

    Args:
        case: Model and data.
        directory: Directory of the run.
        callbacks: Callbacks by name.
        changes: Arguments of the job that differ from the defaults.
    """
    import keras

    from trainer.data.arrays import Arrays, InMemory
    from trainer.training.callback_list import CallbackList
    from trainer.training.job import Job
    from trainer.training.resume import Request, decide
    from trainer.training.train import train_job

    x, y = data(case)
    parts: dict[str, Any] = {
        "name": "benchmark",
        "make_model": lambda: Model(case),
        "make_optimizer": lambda _step, _scale: keras.optimizers.SGD(case.learning_rate),
        "data": InMemory(Arrays({"x": x}, {"y": y}), case.batch_size),
        "epochs": 10**7,
    }
    start = decide(Request("auto", directory.parent, "benchmark", directory, ("model",), datetime(2026, 1, 1)))
    train_job(Job(callbacks=CallbackList(callbacks), start=start, **{**parts, **changes}))
