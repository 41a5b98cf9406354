"""Where the batches of the training part come from, inside the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from trainer.data.arrays import Array, Arrays
from trainer.data.streamed import Streamed
from trainer.errors import RequestError
from trainer.graph.shuffle import shuffled
from trainer.model import Tensors

v1 = tf.compat.v1

Batch = tuple[Tensors, Tensors]
"""Inputs and labels by name."""

INDICES_WORTH_COMPILING = 2_000_000
"""From so many examples in a run on, the order of the data is compiled.

A few dozen ops on integers: as one they take 0.02 us an example instead of 0.18, and 0.4 s to compile.
"""


class Feed(Protocol):
    """Gives the batch of a step; call its methods while the graph is open."""

    def plan(self, step: Any, count: int, run_steps: int) -> Any:
        """Returns what each of ``count`` updates takes, the first being the one after ``step`` updates.

        One tensor [count, ...] for many updates, so that this is worked out once for all of them;
        ``run_steps``, the updates of the whole run, tell how much that may cost to prepare.
        """

    def batch(self, taken: Any) -> tuple[Batch, Any]:
        """Returns the batch of one row of a plan, and the seconds that were waited for it, float64."""

    def initialise(self, session: Any) -> None:
        """Fills what the feed reads from; once for each session, before a restore."""


@dataclass(frozen=True)
class Skips:
    """Batches that are left out: those of some steps, after rollbacks.

    Args:
        steps: int64 variable [rollbacks]: the steps, or the greatest int64 where there is none yet;
            None in a graph that knows no rollbacks.
    """

    steps: Any = None

    def data_steps(self, steps: Any) -> Any:
        """Returns which batches of the source the steps take, int64 [n] for int64 [n]."""
        if self.steps is None:
            return steps
        skipped = tf.cast(self.steps <= steps[:, tf.newaxis], tf.int64)
        return steps + tf.reduce_sum(skipped, axis=1)

    def counts_at(self, steps: Any) -> Any:
        """Returns how many batches are left out just before each step, int64 [n] for int64 [n]."""
        if self.steps is None:
            return tf.zeros_like(steps)
        return tf.reduce_sum(tf.cast(tf.equal(self.steps, steps[:, tf.newaxis]), tf.int64), axis=1)


class ArrayFeed:
    """Batches gathered from local variables that are fed once, so no data enters the GraphDef.

    Which examples a batch has is a function of the seed and the step; it needs no state.

    Args:
        arrays: the examples.
        batch_size: examples in a batch.
        shuffle: a new order in each pass, or always that of the arrays.
        seed: of the order.
        skips: batches that are left out.
    """

    def __init__(self, arrays: Arrays, batch_size: int, *, shuffle: bool, seed: int, skips: Skips) -> None:
        self._skips = skips
        self._names = tuple(arrays.inputs), tuple(arrays.labels)
        self._examples = len(arrays)
        self._batch_size = batch_size
        self._seed = seed if shuffle else None
        self.batch_bytes = sum(array[:1].nbytes for array in arrays.all.values()) * batch_size
        self._tables = local_tables("training_data", arrays.all)
        self._arrays = arrays

    def plan(self, step: Any, count: int, run_steps: int) -> Any:
        """Returns the places of the examples, int64 [count, batch_size]."""
        steps = self._skips.data_steps(step + tf.range(count, dtype=tf.int64))
        compiled = run_steps * self._batch_size >= INDICES_WORTH_COMPILING
        return tf.function(self._indices, autograph=False, jit_compile=compiled)(steps)

    def _indices(self, steps: Any) -> Any:
        per_pass = self._examples // self._batch_size
        passes, step_in_pass = steps // per_pass, steps % per_pass
        offsets = tf.range(self._batch_size, dtype=tf.int64)
        places = step_in_pass[:, tf.newaxis] * self._batch_size + offsets
        if self._seed is None:
            return places
        same = tf.repeat(passes, self._batch_size)
        return tf.reshape(shuffled(tf.reshape(places, [-1]), same, self._examples, self._seed), tf.shape(places))

    def batch(self, taken: Any) -> tuple[Batch, Any]:
        """Returns the batch of one step: tensors [batch_size, ...]; it is there, so nothing waits."""
        shapes = {name: [self._batch_size, *table.shape[1:]] for name, (table, _) in self._tables.items()}
        return self._pick(lambda table: tf.gather(table, taken), shapes), tf.constant(0.0, tf.float64)

    def batches(self, plan: Any, count: int) -> Batch:
        """Returns the batches of a whole plan: tensors [count, batch_size, ...]."""
        shapes = {name: [count, self._batch_size, *table.shape[1:]] for name, (table, _) in self._tables.items()}
        return self._pick(lambda table: tf.gather(table, plan), shapes)

    def _pick(self, take: Any, shapes: Mapping[str, list[int]]) -> Batch:
        picked = {name: tf.ensure_shape(take(table), shapes[name]) for name, (table, _) in self._tables.items()}
        inputs, labels = self._names
        return {name: picked[name] for name in inputs}, {name: picked[name] for name in labels}

    def initialise(self, session: Any) -> None:
        """Feeds the arrays to the session."""
        fill_tables(session, self._tables, self._arrays.all)


class DatasetFeed:
    """Batches from a ``tf.data`` iterator whose state is saved with the variables.

    Args:
        data: the pipeline.
        seed: of the shuffle.
        skips: batches that are left out.
    """

    def __init__(self, data: Streamed, *, seed: int, skips: Skips) -> None:
        self._skips = skips
        dataset = data.dataset()
        if data.shuffle_buffer:
            dataset = dataset.shuffle(data.shuffle_buffer, seed=seed, reshuffle_each_iteration=True)
        dataset = dataset.batch(data.batch_size, drop_remainder=True).repeat().prefetch(tf.data.AUTOTUNE)
        self._iterator = v1.data.make_initializable_iterator(dataset)
        if data.save_position:
            saveable = tf.data.experimental.make_saveable_from_iterator(self._iterator)
            v1.add_to_collection(v1.GraphKeys.SAVEABLE_OBJECTS, saveable)

    def plan(self, step: Any, count: int, run_steps: int) -> Any:  # noqa: ARG002 - of the protocol
        """Returns how many batches are left out just before each step, int64 [count]."""
        return self._skips.counts_at(step + tf.range(count, dtype=tf.int64))

    def batch(self, taken: Any) -> tuple[Batch, Any]:
        """Returns the next batch; the iterator says which, the plan only what is left out."""
        began = tf.timestamp()
        with tf.control_dependencies([began]):
            batch = self._next(taken)
        with tf.control_dependencies(tf.nest.flatten(batch)):
            return batch, tf.timestamp() - began

    def _next(self, taken: Any) -> Batch:
        inputs, labels = self._iterator.get_next()
        if self._skips.steps is not None:
            # A batch is drawn for each that is left out, and the last one drawn is taken.
            _, (inputs, labels) = tf.while_loop(
                lambda left, _: left > 0,
                lambda left, _: (left - 1, self._iterator.get_next()),
                (taken, (inputs, labels)),
                parallel_iterations=1,
            )
        return inputs, labels

    def initialise(self, session: Any) -> None:
        """Starts the pipeline from its beginning; a restore puts it where it stood."""
        session.run(self._iterator.initializer)


def local_tables(scope: str, arrays: Mapping[str, Array]) -> dict[str, tuple[Any, Any]]:
    """Returns a local variable and the placeholder of its initial value for each array."""
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
    """Feeds each array to its variable."""
    for name, (table, initial) in tables.items():
        session.run(table.initializer, {initial: arrays[name]})


def element_specs(dataset: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the specs of inputs and labels of a dataset of single examples, with a batch axis.

    Raises:
        RequestError: its elements are no pair of dicts of dense tensors.
    """
    spec: Any = getattr(dataset, "element_spec", None)
    fits = isinstance(spec, tuple) and len(spec) == 2 and all(isinstance(part, dict) and part for part in spec)
    if not fits or not all(isinstance(each, tf.TensorSpec) for part in spec for each in part.values()):
        raise RequestError(
            f"the data set's elements are {spec if spec is not None else type(dataset).__name__}; they must be pairs "
            "(inputs, labels) of dicts of dense tensors by name",
            argument="dataset",
        )
    inputs, labels = (
        {name: tf.TensorSpec([None, *each.shape], each.dtype, name) for name, each in part.items()} for part in spec
    )
    return inputs, labels
