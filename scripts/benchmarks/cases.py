"""Models and data of the benchmarks, the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """Model and its data.

    Args:
        batch_size: Examples in a batch.
        examples: Examples in the data set.
        shape: Shape of an example.
        classes: Number of classes of the label; 0 for a number.
        units: Units of each dense layer before the last.
        filters: Filters of each convolution before the dense layers.
        learning_rate: Learning rate of gradient descent.
    """

    batch_size: int
    examples: int
    shape: tuple[int, ...]
    classes: int
    units: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()
    learning_rate: float = 0.01


CASES = {
    "linear": Case(32, 3200, (1,), 0),
    "dense": Case(64, 6400, (64,), 10, units=(128,)),
    "convolution": Case(64, 3200, (28, 28, 1), 10, filters=(32, 64)),
    "dense10m": Case(64, 3200, (784,), 10, units=(2500, 2500, 700)),
}


def sized(megabytes: int) -> Case:
    """Returns a dense net of four square layers, whose variables have a given size."""
    units = int((megabytes * 2**20 / 4 / 4) ** 0.5)
    return Case(64, 256, (units,), 0, units=(units,) * 4, learning_rate=1e-6)


def data(case: Case) -> tuple[Any, Any]:
    """Returns examples (float32) and labels (int32 for classes, else float32)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(case.examples, *case.shape)).astype(np.float32)
    if case.classes == 0:
        return x, 3 * x[:, :1] + 1
    return x, rng.integers(0, case.classes, case.examples).astype(np.int32)


def net(case: Case) -> Any:
    """Returns the model as Keras layers, for every contender."""
    import keras

    layers = keras.layers
    stack: list[Any] = [layers.Input(case.shape)]
    for filters in case.filters:
        stack += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
    if case.filters:
        stack.append(layers.Flatten())
    stack += [layers.Dense(units, activation="relu") for units in case.units]
    return keras.Sequential([*stack, layers.Dense(case.classes or 1)])


def loss_of(case: Case, outputs: Any, labels: Any) -> Any:
    """Returns the mean loss of a batch."""
    import tensorflow as tf

    if case.classes == 0:
        return tf.reduce_mean(tf.square(outputs - labels))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs))
