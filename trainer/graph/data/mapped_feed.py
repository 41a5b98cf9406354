"""Batches read by index from files that are not in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array
from trainer.data.mapped import Mapped
from trainer.graph.data.batch_order import BatchOrder
from trainer.graph.data.feeds import Batch, Skips


class MappedFeed:
    """Feed of a ``Mapped``: a call of Python for each batch, whose rows are a function of the seed and the step.

    Args:
        data: Files and settings.
        seed: Seed of the order.
        skips: Batches to skip.
    """

    def __init__(self, data: Mapped, *, seed: int, skips: Skips) -> None:
        self._data = data
        self._skips = skips
        self._order = BatchOrder(data.examples, data.batch_size, seed if data.shuffle else None)

    def batch_indices(self, step: Any, count: int, run_steps: int) -> Any:
        """Returns the indices of the examples, int64 [count, batch_size]."""
        return self._order.planned(self._skips.data_steps(step + tf.range(count, dtype=tf.int64)), run_steps)

    def batch(self, indices: Any) -> tuple[Batch, Any]:
        """Returns the batch of one step, tensors [batch_size, ...], and the seconds that reading it took, float64."""
        start = tf.timestamp()
        with tf.control_dependencies([start]):
            batch = gathered(self._data, self._data.train, indices, self._data.batch_size)
        with tf.control_dependencies(tf.nest.flatten(batch)):
            return batch, tf.timestamp() - start

    def initialise(self, session: Any) -> None:
        """Does nothing: the files are open, and there is no state."""


def gathered(data: Mapped, read: Callable[[Array], list[Array]], indices: Any, size: int | None) -> Batch:
    """Returns the examples at some indices, tensors [size, ...] by name, read by a function of the indices.

    Args:
        data: Files.
        read: Function that returns an array for each file.
        indices: Indices of the examples, int64 [size].
        size: Number of indices, or None if it is unknown.
    """
    files = data.all
    tensors = tf.numpy_function(read, [indices], [tf.as_dtype(file.dtype) for file in files.values()])
    named = {
        name: tf.ensure_shape(tensor, [size, *file.shape[1:]])
        for (name, file), tensor in zip(files.items(), tensors, strict=True)
    }
    return {name: named[name] for name in data.inputs}, {name: named[name] for name in data.labels}


def held_out_batches(data: Mapped, count: int) -> Any:
    """Returns the data set of the batches of the ``count`` validation examples; the last one may be short."""
    size = data.batch_size
    starts = tf.data.Dataset.range(0, count, size)

    def read(start: Any) -> Any:
        return gathered(data, data.held_out, tf.range(start, tf.minimum(start + size, count)), None)

    return starts.map(read, num_parallel_calls=1, deterministic=True)


def example_of(data: Mapped) -> dict[str, Array]:
    """Returns the first examples, as many as a batch has, by name."""
    return {name: np.array(file.rows(np.arange(data.batch_size))) for name, file in data.all.items()}
