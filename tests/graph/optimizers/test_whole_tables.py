"""Optimizers that write more of a large table than the rows of a batch: said at the start, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer

v1 = tf.compat.v1
k = keras.optimizers

ROWS_ALONE: dict[str, Callable[[], Any]] = {
    "keras SGD": lambda: k.SGD(0.1),
    "SGD": lambda: v1.train.GradientDescentOptimizer(0.1),
    "Momentum": lambda: v1.train.MomentumOptimizer(0.1, 0.9),
    "Adagrad": lambda: v1.train.AdagradOptimizer(0.1),
    "centered RMSProp": lambda: v1.train.RMSPropOptimizer(0.1, centered=True),
}
WHOLE: dict[str, Callable[[], Any]] = {
    "momentum": lambda: k.SGD(0.1, momentum=0.9),
    "clipped": lambda: k.SGD(0.1, global_clipnorm=1.0),
    "averaged": lambda: k.SGD(0.1, use_ema=True),
    "keras Adam": lambda: k.Adam(),
    "Lion": lambda: k.Lion(),
    "Adam": lambda: v1.train.AdamOptimizer(),
}


def said(make_optimizer: Callable[[], Any], rows: int, directory: Path, caplog: Any) -> list[str]:
    """Trains one step on a table of 16 columns, and returns the lines that name it."""

    def make() -> Any:
        layers = keras.layers
        net = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(rows, 16, name="words")])
        net.add(layers.Flatten())
        net.add(layers.Dense(1))
        net.compile(loss="mse")
        return net

    data = np.zeros((4, 2), np.int32), np.zeros(4, np.float32)
    with caplog.at_level("INFO", "trainer"):
        trainer.fit(make, data, make_optimizer(), epochs=1, batch_size=4, directory=directory, callbacks={})
    return [each for each in caplog.messages if "words/embeddings" in each]


@pytest.mark.parametrize("name", ROWS_ALONE)
def test_an_update_of_rows_says_nothing(name: str, tmp_path: Path, caplog: Any) -> None:
    assert said(ROWS_ALONE[name], 100_000, tmp_path / "run", caplog) == []


@pytest.mark.parametrize("name", WHOLE)
def test_an_update_of_the_whole_table_is_said_with_what_writes_rows(name: str, tmp_path: Path, caplog: Any) -> None:
    (line,) = said(WHOLE[name], 100_000, tmp_path / "run", caplog)
    assert "reads and writes all of" in line
    assert "tf.compat.v1.train" in line


def test_a_small_table_is_not_worth_a_line(tmp_path: Path, caplog: Any) -> None:
    assert said(WHOLE["keras Adam"], 1000, tmp_path / "run", caplog) == []
