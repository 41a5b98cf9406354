"""Evaluation in the graph: loss and metrics over the validation part."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Arrays
from trainer.errors import RequestError
from trainer.graph.build import GraphContext
from trainer.graph.data_source import call_dataset, warn_of_unsaved
from trainer.graph.feeds import element_specs, fill_tables, local_tables
from trainer.graph.metric_columns import MetricColumns, Values
from trainer.graph.metric_state import StateAside
from trainer.graph.metrics import Measured
from trainer.graph.random_ops import ops_in
from trainer.graph.side_losses import with_side_losses

v1 = tf.compat.v1


class Evaluation(Protocol):
    """Ops in a graph that evaluate the validation part."""

    def initialise(self, session: Any) -> None:
        """Prepares the session; called once."""

    def run(self, session: Any) -> dict[str, float]:
        """Returns loss and metrics by name, each over all validation examples."""


def make_evaluation(build: GraphContext) -> Evaluation | None:
    """Adds an evaluation to the open graph; returns None if the data has no validation part."""
    validation = build.source.validation
    if validation is None:
        return None
    if isinstance(validation, Arrays):
        return _OverArrays(build, validation)
    return _OverDataset(build, validation)


def measure(build: GraphContext, inputs: Any, labels: Any) -> Measured:
    """Returns loss and metrics of a batch in inference mode."""
    with build.side_losses.collected() as found:
        outputs = build.calls.outputs(inputs, training=False, seed=tf.zeros([2], tf.int32))
        own = build.calls.loss(outputs, labels)
    return build.metrics.measure(outputs, labels, with_side_losses(own.value, found)[0], own.weight, own.parts)


def by_name(columns: MetricColumns, sums: Values, examples: int, last: Values) -> dict[str, float]:
    """Returns the values over a validation part by name of the metric, ``loss`` first.

    Args:
        columns: Columns of the metrics of a batch.
        sums: Weighted sums of the columns, float64 [columns].
        examples: Number of examples, the sum of the weights.
        last: Columns of the last batch, float32 [columns].
    """
    return dict(zip(columns.names, columns.over(sums, examples, last).tolist(), strict=True))


class _OverArrays:
    """Evaluation of arrays in one call: a loop over slices of local variables; the last batch may be short."""

    def __init__(self, build: GraphContext, arrays: Arrays) -> None:
        self._columns = build.evaluated
        self._arrays = arrays
        self._tables = local_tables("validation_data", arrays.all)
        tables = {name: table for name, (table, _) in self._tables.items()}
        examples, size = len(arrays), build.source.batch_size

        def sums() -> Any:
            def body(start: Any, sums: Any, _last: Any) -> Any:
                stop = tf.minimum(start + size, examples)
                batch = {name: table[start:stop] for name, table in tables.items()}
                row = measure(
                    build,
                    {name: batch[name] for name in arrays.inputs},
                    {name: batch[name] for name in arrays.labels},
                ).row
                # Sums in float64, so that the mean over many batches does not depend on their number.
                weights = tf.where(self._columns.weighted, tf.cast(stop - start, tf.float64), 1.0)
                return stop, sums + tf.cast(row, tf.float64) * weights, row

            zeros = [tf.zeros([len(self._columns.all)], dtype) for dtype in (tf.float64, tf.float32)]
            with build.metrics.state.aside():
                return tf.while_loop(lambda start, *_: start < examples, body, [0, *zeros], parallel_iterations=1)[1:]

        self._sums = tf.function(sums, autograph=False)()

    def initialise(self, session: Any) -> None:
        fill_tables(session, self._tables, self._arrays.all)

    def run(self, session: Any) -> dict[str, float]:
        sums, last = session.run(self._sums)
        return by_name(self._columns, sums, len(self._arrays), last)


class _OverDataset:
    """Evaluation of a data set: a new pass each time, one call into the graph per batch."""

    def __init__(self, build: GraphContext, make_dataset: Any) -> None:
        self._columns = build.evaluated
        before = set(ops_in(build.graph))
        dataset = call_dataset(make_dataset, "validation")
        ops = [op for op in ops_in(build.graph) if op not in before]
        warn_of_unsaved("validation", ops, buffered=False, restarts=True)
        if (inputs_labels := element_specs(dataset)) != (build.source.inputs, build.source.labels):
            raise RequestError(
                f"the elements of validation are {inputs_labels}; they must be those of the training data: "
                f"{(build.source.inputs, build.source.labels)}",
                argument="validation",
            )
        iterator = v1.data.make_initializable_iterator(dataset.batch(build.source.batch_size).prefetch(2))
        inputs, labels = iterator.get_next()
        self._start = iterator.initializer
        self._row = tf.function(lambda *batch: measure(build, *batch).row, autograph=False)(inputs, labels)
        self._state = StateAside(build.metrics.state)
        self._size = tf.shape(next(iter(inputs.values())))[0]

    def initialise(self, session: Any) -> None:
        """Does nothing: each run starts a new pass."""

    def run(self, session: Any) -> dict[str, float]:
        session.run(self._start)
        sums, examples, row = np.zeros(len(self._columns.all)), 0, np.zeros(0)
        with self._state.aside(session):
            while True:
                try:
                    row, size = session.run([self._row, self._size])
                except tf.errors.OutOfRangeError:
                    break
                sums += row.astype(float) * np.where(self._columns.weighted, float(size), 1.0)
                examples += int(size)
        if not examples:
            raise RequestError("validation has no examples", argument="validation")
        return by_name(self._columns, sums, examples, row)
