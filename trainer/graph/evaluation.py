"""Evaluation in the graph: means of loss and metrics over the validation part."""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf

from trainer.data.arrays import Arrays
from trainer.errors import RequestError
from trainer.graph.build import GraphContext
from trainer.graph.data_source import call_dataset
from trainer.graph.feeds import element_specs, fill_tables, local_tables
from trainer.graph.inference import call, scalar_loss, scalar_metrics
from trainer.graph.side_losses import with_side_losses

v1 = tf.compat.v1


class Evaluation(Protocol):
    """Ops in a graph that evaluate the validation part."""

    def initialise(self, session: Any) -> None:
        """Prepares the session; called once."""

    def run(self, session: Any) -> dict[str, float]:
        """Returns loss and metrics by name, each a mean over all validation examples."""


def make_evaluation(build: GraphContext) -> Evaluation | None:
    """Adds an evaluation to the open graph; returns None if the data has no validation part."""
    validation = build.source.validation
    if validation is None:
        return None
    if isinstance(validation, Arrays):
        return _OverArrays(build, validation)
    return _OverDataset(build, validation)


def batch_means(build: GraphContext, inputs: Any, labels: Any) -> Any:
    """Returns loss and metrics of a batch in inference mode, float32 [metrics]."""
    with build.side_losses.collected() as found:
        outputs = call(build.model, inputs, training=False, seed=tf.zeros([2], tf.int32))
        own_loss = scalar_loss(build.model, outputs, labels)
    loss = tf.cast(with_side_losses(own_loss, found)[0], tf.float32)
    return tf.stack([loss, *scalar_metrics(build.model, outputs, labels).values()])


def by_name(build: GraphContext, means: Any) -> dict[str, float]:
    """Returns the means by name of the metric, ``loss`` first."""
    return dict(zip(build.metric_names, (float(mean) for mean in means), strict=True))


class _OverArrays:
    """Evaluation of arrays in one call: a loop over slices of local variables; the last batch may be short."""

    def __init__(self, build: GraphContext, arrays: Arrays) -> None:
        self._build = build
        self._arrays = arrays
        self._tables = local_tables("validation_data", arrays.all)
        tables = {name: table for name, (table, _) in self._tables.items()}
        examples, size = len(arrays), build.source.batch_size

        def means() -> Any:
            def body(start: Any, sums: Any) -> Any:
                stop = tf.minimum(start + size, examples)
                batch = {name: table[start:stop] for name, table in tables.items()}
                values = batch_means(
                    build,
                    {name: batch[name] for name in arrays.inputs},
                    {name: batch[name] for name in arrays.labels},
                )
                # Sums in float64, so that the mean over many batches does not depend on their number.
                return stop, sums + tf.cast(values, tf.float64) * tf.cast(stop - start, tf.float64)

            zeros = tf.zeros([len(build.metric_names)], tf.float64)
            _, sums = tf.while_loop(lambda start, _: start < examples, body, [0, zeros], parallel_iterations=1)
            return sums / examples

        self._means = tf.function(means, autograph=False)()

    def initialise(self, session: Any) -> None:
        fill_tables(session, self._tables, self._arrays.all)

    def run(self, session: Any) -> dict[str, float]:
        return by_name(self._build, session.run(self._means))


class _OverDataset:
    """Evaluation of a data set: a new pass each time, one call into the graph per batch."""

    def __init__(self, build: GraphContext, make_dataset: Any) -> None:
        self._build = build
        dataset = call_dataset(make_dataset, "validation")
        if (inputs_labels := element_specs(dataset)) != (build.source.inputs, build.source.labels):
            raise RequestError(
                f"the elements of validation are {inputs_labels}; they must be those of the training data: "
                f"{(build.source.inputs, build.source.labels)}",
                argument="validation",
            )
        iterator = v1.data.make_initializable_iterator(dataset.batch(build.source.batch_size).prefetch(2))
        inputs, labels = iterator.get_next()
        self._start = iterator.initializer
        self._values = tf.function(lambda *batch: batch_means(build, *batch), autograph=False)(inputs, labels)
        self._size = tf.shape(next(iter(inputs.values())))[0]

    def initialise(self, session: Any) -> None:
        """Does nothing: each run starts a new pass."""

    def run(self, session: Any) -> dict[str, float]:
        session.run(self._start)
        total, examples = 0.0, 0
        while True:
            try:
                values, size = session.run([self._values, self._size])
            except tf.errors.OutOfRangeError:
                break
            total, examples = total + values.astype(float) * size, examples + int(size)
        if not examples:
            raise RequestError("validation has no examples", argument="validation")
        return by_name(self._build, total / examples)
