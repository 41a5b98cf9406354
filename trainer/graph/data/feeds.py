"""Feeds: sources of the training batches inside the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from trainer.data.arrays import Array, Arrays
from trainer.data.streamed import Streamed
from trainer.graph.data.batch_order import BatchOrder
from trainer.graph.data.batching import may_vary, shuffled_batches
from trainer.graph.data.dataset_calls import call_dataset
from trainer.graph.data.element_structure import dense_by_name
from trainer.graph.state.run_savers import PipelinePosition
from trainer.model import Tensors

v1 = tf.compat.v1

Batch = tuple[Tensors, Tensors]
"""Inputs and labels of a batch, tensors [batch, ...] by name."""


class Feed(Protocol):
    """Source of the batch of each step; its methods are called while the graph is open."""

    def batch_indices(self, step: Any, count: int, run_steps: int) -> Any:
        """Returns the batch indices of the next ``count`` steps, computed at once.

        Args:
            step: Global step before the first of the steps, int64 scalar.
            count: Number of steps.
            run_steps: Total number of steps of the run, to decide whether compiling pays.

        Returns:
            Int64 [count, ...], a row per step.
        """

    def batch(self, indices: Any) -> tuple[Batch, Any]:
        """Returns the batch of one row of batch indices, and the seconds of waiting for it, float64."""

    def initialise(self, session: Any) -> None:
        """Fills the tables or starts the pipeline; called once per session, before a restore."""


@dataclass(frozen=True)
class Skips:
    """Batches that are skipped after rollbacks.

    Args:
        steps: Variable of the steps whose batches are skipped, int64 [rollbacks], the greatest
            int64 in unused places; None in a graph without rollbacks.
    """

    steps: Any = None

    def data_steps(self, steps: Any) -> Any:
        """Returns the numbers of the source's batches for the given steps, int64 [n] for int64 [n]."""
        if self.steps is None:
            return steps
        skipped = tf.cast(self.steps <= steps[:, tf.newaxis], tf.int64)
        return steps + tf.reduce_sum(skipped, axis=1)

    def counts_at(self, steps: Any) -> Any:
        """Returns the number of batches skipped directly before each step, int64 [n] for int64 [n]."""
        if self.steps is None:
            return tf.zeros_like(steps)
        return tf.reduce_sum(tf.cast(tf.equal(self.steps, steps[:, tf.newaxis]), tf.int64), axis=1)


class ArrayFeed:
    """Batches gathered from local variables that are fed once, so that no data enters the GraphDef.

    The examples of a batch are a function of the seed and the step; no state is needed.

    Args:
        arrays: Training examples.
        batch_size: Number of examples in a batch.
        shuffle: Whether each pass has a new order; False keeps the order of the arrays.
        seed: Seed of the order.
        skips: Batches to skip.
    """

    def __init__(self, arrays: Arrays, batch_size: int, *, shuffle: bool, seed: int, skips: Skips) -> None:
        self._skips = skips
        self._names = tuple(arrays.named_inputs), tuple(arrays.named_labels)
        self._batch_size = batch_size
        self._order = BatchOrder(len(arrays), batch_size, seed if shuffle else None)
        self.batch_bytes = sum(array[:1].nbytes for array in arrays.all.values()) * batch_size
        self._tables = local_tables("training_data", arrays.all)
        self._arrays = arrays

    def batch_indices(self, step: Any, count: int, run_steps: int) -> Any:
        """Returns the indices of the examples, int64 [count, batch_size]."""
        return self._order.planned(self._skips.data_steps(step + tf.range(count, dtype=tf.int64)), run_steps)

    def batch(self, indices: Any) -> tuple[Batch, Any]:
        """Returns the batch of one step, tensors [batch_size, ...]; it is in memory, so the wait is 0 s."""
        shapes = {name: [self._batch_size, *table.shape[1:]] for name, (table, _) in self._tables.items()}
        return self._pick(lambda table: tf.gather(table, indices), shapes), tf.constant(0.0, tf.float64)

    def batches(self, indices: Any, count: int) -> Batch:
        """Returns the batches of ``count`` steps, tensors [count, batch_size, ...]."""
        shapes = {name: [count, self._batch_size, *table.shape[1:]] for name, (table, _) in self._tables.items()}
        return self._pick(lambda table: tf.gather(table, indices), shapes)

    def _pick(self, take: Any, shapes: Mapping[str, list[int]]) -> Batch:
        picked = {name: tf.ensure_shape(take(table), shapes[name]) for name, (table, _) in self._tables.items()}
        inputs, labels = self._names
        return {name: picked[name] for name in inputs}, {name: picked[name] for name in labels}

    def indices_at(self, step: int, skipped: Any = None) -> Any:
        """Returns the indices of the examples of one step, int64 [batch_size], in any graph.

        Args:
            step: Global step before the update on this batch.
            skipped: Value of the variable of the steps to skip, int64 [rollbacks]; None without rollbacks.
        """
        skips = Skips(None if skipped is None else tf.constant(skipped))
        return self._order.indices(skips.data_steps(tf.constant([step], tf.int64)))[0]

    def examples(self, indices: Any) -> Batch:
        """Returns inputs and labels of some examples as arrays, for an array of indices."""
        inputs, labels = ({name: self._arrays.all[name][indices] for name in names} for names in self._names)
        return inputs, labels

    def initialise(self, session: Any) -> None:
        """Feeds the arrays to the session."""
        fill_tables(session, self._tables, self._arrays.all)


class DatasetFeed:
    """Batches from a ``tf.data`` iterator whose state is saved with the variables, or that is drawn ahead.

    Args:
        data: Pipeline and its settings.
        seed: Seed of the shuffle.
        skips: Batches to skip.
    """

    def __init__(self, data: Streamed, *, seed: int, skips: Skips) -> None:
        self._skips = skips
        dataset = call_dataset(data.dataset, "dataset", batched=data.batched)
        self.may_vary = may_vary(data, dataset)
        dataset = shuffled_batches(data, dataset, seed).repeat().prefetch(tf.data.AUTOTUNE)
        self._iterator = v1.data.make_initializable_iterator(dataset)
        self._drawn: Any = None
        if data.stores_position:
            v1.add_to_collection(v1.GraphKeys.SAVEABLE_OBJECTS, PipelinePosition(self._iterator))
        elif data.skips_ahead:
            self._drawn = v1.get_variable(
                "batches_drawn",
                initializer=tf.constant(0, tf.int64),
                trainable=False,
                use_resource=True,
                collections=[v1.GraphKeys.LOCAL_VARIABLES],
            )

    def batch_indices(self, step: Any, count: int, run_steps: int) -> Any:  # noqa: ARG002 - of the protocol
        """Returns the number of batches to skip directly before each step, int64 [count].

        Where batches are drawn ahead, it is the number of batches that have been drawn before the step's own.
        """
        steps = step + tf.range(count, dtype=tf.int64)
        return self._skips.counts_at(steps) if self._drawn is None else self._skips.data_steps(steps)

    def batch(self, indices: Any) -> tuple[Batch, Any]:
        """Returns the next batch of the iterator, after skipping ``indices`` batches (int64 scalar)."""
        start = tf.timestamp()
        with tf.control_dependencies([start]):
            batch = self._next(indices)
        with tf.control_dependencies(tf.nest.flatten(batch)):
            return batch, tf.timestamp() - start

    def _next(self, indices: Any) -> Batch:
        if self._skips.steps is None and self._drawn is None:
            return self._draw()
        skipped = indices
        if self._drawn is not None:
            skipped = indices - self._drawn.read_value()
            with tf.control_dependencies([skipped]):
                taken = self._drawn.assign(indices + 1, read_value=False)
            with tf.control_dependencies([taken]):
                skipped = tf.identity(skipped)
        with tf.control_dependencies([skipped]):
            first = self._draw()
        # The last batch drawn is returned, so each further draw skips one batch.
        _, batch = tf.while_loop(
            lambda left, _: left > 0,
            lambda left, _: (left - 1, self._draw()),
            (skipped, first),
            parallel_iterations=1,
        )
        inputs, labels = batch
        return inputs, labels

    def _draw(self) -> Batch:
        return dense_by_name(self._iterator.get_next())

    def initialise(self, session: Any) -> None:
        """Starts the pipeline from its beginning; a restore sets its saved position."""
        session.run(self._iterator.initializer)
        if self._drawn is not None:
            session.run(self._drawn.initializer)


def local_tables(scope: str, arrays: Mapping[str, Array]) -> dict[str, tuple[Any, Any]]:
    """Returns a local variable and the placeholder of its initial value for each name of an array."""
    tables = {}
    for name, array in arrays.items():
        dtype = tf.string if array.dtype.kind in "SU" else tf.as_dtype(array.dtype)
        initial = v1.placeholder(dtype, array.shape, name=f"{scope}/{name}/initial")
        table = v1.get_variable(
            f"{scope}/{name}",
            initializer=initial,
            trainable=False,
            use_resource=True,
            collections=[v1.GraphKeys.LOCAL_VARIABLES],
        )
        tables[name] = (table, initial)
    return tables


def fill_tables(session: Any, tables: Mapping[str, tuple[Any, Any]], arrays: Mapping[str, Array]) -> None:
    """Sets the variable of each array by feeding its placeholder, all in one call: each new call costs a start."""
    fed = {initial: arrays[name] for name, (_, initial) in tables.items()}
    session.run([table.initializer for table, _ in tables.values()], fed)
