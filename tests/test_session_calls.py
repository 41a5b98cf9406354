"""Calls of sessions by exports, predictors and warm starts: as many for a net of many variables as for a small one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import run
from trainer import checkpoints
from trainer.callback import Callback, Context
from trainer.data.arrays import Arrays, InMemory
from trainer.models.keras_model import KerasModel

FEW, MANY = 2, 20
"""Layers of the nets that are compared."""


def net(layers: int) -> Any:
    """Returns a net with two variables for each layer."""
    stack = [keras.layers.Dense(4, activation="relu", name=f"layer_{number}") for number in range(layers)]
    made = keras.Sequential([keras.Input((4,), name="x"), *stack])
    made.compile("adam", "mse")
    return made


def trained(directory: Path, layers: int, callbacks: dict[str, Callback] | None = None, **changes: Any) -> Path:
    """Trains the net for two epochs, and returns the directory."""
    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    data = InMemory(Arrays({"x": x}, {"y": x}), 8)
    run(
        directory,
        callbacks,
        make_model=lambda: KerasModel(net(layers)),
        data=data,
        epochs=2,
        steps_per_call=2,
        **changes,
    )
    return directory


class Calls:
    """Counter of the calls of all sessions."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts the calls in a block."""
        # Both ``run`` and the functions of ``make_callable`` come here.
        original = tf.compat.v1.Session._call_tf_sessionrun

        def counting(*args: Any) -> Any:
            self.count += 1
            return original(*args)

        with patch.object(tf.compat.v1.Session, "_call_tf_sessionrun", counting):
            yield


def at_the_end(make: Callable[[], Callback]) -> Callable[[Path, int], int]:
    """Returns a function that counts the calls of a callback at the end of a run."""

    def count(directory: Path, layers: int) -> int:
        calls, callback = Calls(), make()
        at_end = callback.on_train_end

        def counted(context: Context) -> None:
            with calls.counted():
                at_end(context)

        callback.on_train_end = counted  # type: ignore[method-assign]
        trained(directory / "run", layers, {"it": callback})
        return calls.count

    return count


def afterwards(use: Callable[[Path, int], Any]) -> Callable[[Path, int], int]:
    """Returns a function that counts the calls of what is done with a run."""

    def count(directory: Path, layers: int) -> int:
        calls = Calls()
        path = trained(directory / "run", layers)
        with calls.counted():
            use(path, layers)
        return calls.count

    return count


def predicted(path: Path) -> None:
    with trainer.open_predictor(path) as predictor:
        predictor(x=np.zeros([1, 4], np.float32))


def of_a_file(export: Callable[[Path], Path]) -> Callable[[Path, int], int]:
    """Returns a function that counts the calls of a predictor of an export."""

    def count(directory: Path, layers: int) -> int:
        calls = Calls()
        path = export(trained(directory / "run", layers))
        with calls.counted():
            predicted(path)
        return calls.count

    return count


def warm_start(directory: Path, layers: int) -> int:
    """Returns the number of calls before the first step of a warm start; those of steps depend on the clock."""
    calls, before_steps = Calls(), []

    class Begin(Callback):
        def on_train_begin(self, context: Context) -> None:
            before_steps.append(calls.count)

    path = trained(directory / "run", layers)
    with calls.counted():
        trained(directory / "next", layers, {"begin": Begin()}, warm_start=trainer.WarmStart(path))
    return before_steps[0]


COUNTS: dict[str, Callable[[Path, int], int]] = {
    "freeze at the end": at_the_end(Freeze),
    "SavedModel at the end": at_the_end(SavedModel),
    "checkpoints freeze": afterwards(lambda path, _layers: checkpoints.freeze(path)),
    "checkpoints export": afterwards(lambda path, _layers: checkpoints.export(path)),
    "predictor of a checkpoint": afterwards(lambda path, _layers: predicted(path)),
    "predictor of a .pb": of_a_file(checkpoints.freeze),
    "predictor of a SavedModel": of_a_file(checkpoints.export),
    "warm start": warm_start,
    "resume": afterwards(lambda path, layers: trained(path, layers)),
    "load_into": afterwards(lambda path, layers: trainer.load_into(net(layers), path)),
}


@pytest.mark.parametrize("what", COUNTS)
def test_the_number_of_calls_does_not_depend_on_the_number_of_variables(what, tmp_path) -> None:
    few, many = (COUNTS[what](tmp_path / str(layers), layers) for layers in (FEW, MANY))
    assert few == many


def test_calls_are_counted() -> None:
    calls = Calls()
    with calls.counted(), tf.Graph().as_default(), tf.compat.v1.Session() as session:
        one = tf.constant(1)
        session.run(one)
        session.make_callable(one)()
    assert calls.count == 2
