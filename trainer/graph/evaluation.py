"""Evaluation in the graph: loss and metrics over the validation part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Arrays
from trainer.errors import RequestError
from trainer.graph.build import GraphContext
from trainer.graph.data.batching import varying_in
from trainer.graph.data.dataset_calls import warn_of_unsaved
from trainer.graph.data.element_structure import dense_by_name
from trainer.graph.data.feeds import fill_tables, local_tables
from trainer.graph.data.validation_parts import DatasetPart, Part
from trainer.graph.forward.metrics import Measured
from trainer.graph.losses.metric_columns import MetricColumns, Values
from trainer.graph.losses.metric_state import StateAside
from trainer.graph.losses.side_losses import with_side_losses
from trainer.graph.ops.random_ops import ops_in

v1 = tf.compat.v1

BATCHES_PER_CALL = 100
"""Max batches of a data set in one call, after which a signal or an error is seen."""


class Evaluation(Protocol):
    """Ops in a graph that evaluate the validation part."""

    def initialise(self, session: Any) -> None:
        """Prepares the session; called once."""

    def run(self, session: Any) -> dict[str, float]:
        """Returns loss and metrics by name, each over all validation examples."""


def make_evaluations(build: GraphContext) -> dict[str, Evaluation]:
    """Adds an evaluation of each validation part to the open graph.

    Returns:
        Evaluations by the prefix of their metrics: ``val_``, or ``val_NAME_`` of a part with a name.
    """
    parts = build.source.validation
    return {prefix_of(name): _evaluation(build, name, part) for name, part in parts.items()}


def prefix_of(name: str) -> str:
    """Returns the prefix of the metrics of a validation part.

    Example:
        >>> prefix_of(""), prefix_of("books")
        ('val_', 'val_books_')
    """
    return f"val_{name}_" if name else "val_"


def _evaluation(build: GraphContext, name: str, part: Part) -> Evaluation:
    if isinstance(part, DatasetPart):
        return _OverDataset(build, part)
    return _OverArrays(build, part, f"validation_data/{name}" if name else "validation_data")


def measure(build: GraphContext, inputs: Any, labels: Any) -> Measured:
    """Returns loss and metrics of a batch in inference mode."""
    with build.side_losses.collected() as found:
        outputs = build.calls.outputs(inputs, training=False, seed=tf.zeros([2], tf.int32), labels=labels)
        own = build.calls.loss(outputs, labels)
    loss = replace(own, value=with_side_losses(own.value, found)[0])
    return build.metrics.measure(outputs, labels, loss, build.calls.varying_examples(inputs))


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

    def __init__(self, build: GraphContext, arrays: Arrays, scope: str) -> None:
        self._columns = build.evaluated
        self._arrays = arrays
        self._tables = local_tables(scope, arrays.all)
        tables = {name: table for name, (table, _) in self._tables.items()}
        examples, size = len(arrays), build.source.batch_size

        def sums() -> Any:
            def body(start: Any, sums: Any, _last: Any) -> Any:
                stop = tf.minimum(start + size, examples)
                batch = {name: table[start:stop] for name, table in tables.items()}
                row = measure(
                    build,
                    {name: batch[name] for name in arrays.named_inputs},
                    {name: batch[name] for name in arrays.named_labels},
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
    """Evaluation of a data set: a new pass each time, many batches in each call into the graph."""

    def __init__(self, build: GraphContext, part: DatasetPart) -> None:
        self._build = build
        self._columns = build.evaluated
        self._part = part
        before = set(ops_in(build.graph))
        dataset = part.make()
        if not part.is_known:
            ops = [op for op in ops_in(build.graph) if op not in before]
            warn_of_unsaved(part.argument, ops, buffered=False, restarts=True)
        iterator = v1.data.make_initializable_iterator(dataset.prefetch(2))
        self._start = iterator.initializer
        self._call = tf.function(lambda: self._sums(iterator), autograph=False)()
        self._state = StateAside(build.metrics.state)

    def _sums(self, iterator: Any) -> Any:
        """Returns sums over the next batches, their examples, the last row, and whether the data set goes on."""

        def one(i: Any, sums: Any, examples: Any, last: Any, _more: Any) -> Any:
            batch = tf.data.experimental.get_next_as_optional(iterator)

            def with_it() -> Any:
                row, size = self._measured(batch.get_value())
                weights = tf.where(self._columns.weighted, tf.cast(size, tf.float64), 1.0)
                return sums + tf.cast(row, tf.float64) * weights, examples + size, row, tf.constant(True)

            return i + 1, *tf.cond(batch.has_value(), with_it, lambda: (sums, examples, last, tf.constant(False)))

        zeros = [tf.zeros([len(self._columns.all)], dtype) for dtype in (tf.float64, tf.float32)]
        start = [0, zeros[0], tf.constant(0, tf.int64), zeros[1], True]
        return tf.while_loop(
            lambda i, _sums, _examples, _last, more: (i < BATCHES_PER_CALL) & more, one, start, parallel_iterations=1
        )[1:]

    def _measured(self, element: Any) -> tuple[Any, Any]:
        source = self._build.source
        inputs, labels = dense_by_name(element)
        inputs = {name: tf.ensure_shape(inputs[name], spec.shape) for name, spec in source.inputs.items()}
        labels = {name: tf.ensure_shape(labels[name], spec.shape) for name, spec in source.labels.items()}
        return measure(self._build, inputs, labels).row, tf.cast(source.structure.examples(inputs), tf.int64)

    def initialise(self, session: Any) -> None:
        """Does nothing: each run starts a new pass."""

    def run(self, session: Any) -> dict[str, float]:
        session.run(self._start)
        sums, examples, last, more = np.zeros(len(self._columns.all)), 0, np.zeros(0), True
        with self._state.aside(session):
            while more:
                try:
                    more_sums, count, row, more = session.run(self._call)
                except tf.errors.InvalidArgumentError as error:
                    if varying := varying_in(str(error), self._part.may_vary):
                        raise RequestError(f"{self._part.argument}: {varying}", argument="pad") from error
                    raise
                sums, examples = sums + more_sums, examples + int(count)
                last = row if count else last
        if not examples:
            raise RequestError(f"{self._part.argument} has no examples", argument=self._part.argument)
        return by_name(self._columns, sums, examples, last)
