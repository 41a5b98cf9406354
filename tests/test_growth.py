"""Growth of a run with the size of its net: nothing in the start or the end is quadratic in layers or variables."""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import run
from trainer.data.arrays import Arrays, InMemory
from trainer.models.keras_model import KerasModel

SHALLOW, DEEP = 15, 150
"""Layers of the nets that are compared; ``scripts/bench --parts nets`` has the seconds of 50 and 500."""

MAX_GROWTH = 12.0


def net(layers: int) -> Any:
    stack = [keras.layers.Dense(8, activation="relu") for _ in range(layers)]
    made = keras.Sequential([keras.Input((8,), name="x"), *stack])
    made.compile("sgd", "mse")
    return made


def python_calls(directory: Path, layers: int) -> int:
    """Returns the number of Python calls of a whole run: building, two steps, a save, an evaluation, all exports."""
    x = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    part = Arrays({"x": x}, {"y": x})
    profile = cProfile.Profile(builtins=False)
    callbacks = {"checkpoint": Checkpoint(), "evaluate": Evaluate(), "freeze": Freeze(), "saved_model": SavedModel()}
    profile.enable()
    try:
        run(
            directory,
            callbacks,
            make_model=lambda: KerasModel(net(layers)),
            data=InMemory(part, 8, validation=part),
            epochs=1,
            compile="off",
        )
    finally:
        profile.disable()
    return int(pstats.Stats(profile).prim_calls)  # type: ignore[attr-defined]


def test_ten_times_the_layers_take_ten_times_the_calls_of_python(tmp_path: Path) -> None:
    python_calls(tmp_path / "first", 2)  # What is imported and cached once is left out.
    few, many = (python_calls(tmp_path / str(layers), layers) for layers in (SHALLOW, DEEP))
    assert many < MAX_GROWTH * few


class Counted:
    """Net that counts the times that TensorFlow asks for its ops."""

    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.w = tf.Variable(tf.ones([8, 8]), name="w")

    def __call__(self, inputs: Any, training: bool) -> Any:
        """Returns the outputs."""
        self.calls.append(training)
        return {"op": inputs["x"] @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Returns the loss of a batch."""
        return tf.reduce_mean((outputs["op"] - labels["y"]) ** 2)


@pytest.mark.parametrize("mode", ["off", "xla", "measure"])
def test_a_model_is_traced_once_for_training_and_once_for_what_is_exported(mode: str, tmp_path: Path) -> None:
    x = np.ones((16, 8), np.float32)
    models: list[Counted] = []

    def make() -> Counted:
        models.append(Counted())
        return models[-1]

    run(tmp_path / "run", None, make_model=make, data=InMemory(Arrays({"x": x}, {"y": x}), 8), compile=mode)
    assert [sorted(each.calls) for each in models] == [[False, True]]
