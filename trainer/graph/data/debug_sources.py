"""Data sources for looking at a model: one batch alone, short validation parts, batches that can be read afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Arrays
from trainer.graph.data.data_source import DataSource
from trainer.graph.data.feeds import ArrayFeed, Batch, Feed, Skips, fill_tables, local_tables
from trainer.graph.data.validation_parts import DatasetPart, Part

v1 = tf.compat.v1

VALIDATION_BATCHES = 2
"""Number of batches of a short validation part."""


def changed_source(source: DataSource, debug: str | None) -> DataSource:
    """Returns the data source that a debug choice trains on.

    Args:
        source: Source of the data.
        debug: Choice, or None for the source as it is.
    """
    if debug == "overfit":
        return one_batch(source)
    if debug == "numerics":
        return replace(source, make_feed=lambda seed, skips: RecordedFeed(source.make_feed(seed, skips), source))
    if debug == "fast":
        return replace(source, validation={name: _short(part, source) for name, part in source.validation.items()})
    return source


def one_batch(source: DataSource) -> DataSource:
    """Returns a source whose every batch is the first of another one; it has no validation part."""
    example = {name: each.astype("S") if each.dtype.kind == "O" else each for name, each in source.example.items()}
    if len({len(each) for each in example.values()}) > 1:  # the parts of ragged and sparse tensors
        repeated = lambda *_: RepeatedFeed(example, source)  # noqa: E731
        return replace(source, steps_per_epoch=1, validation={}, make_feed=repeated)
    arrays = Arrays(*({name: example[name] for name in specs} for specs in (source.inputs, source.labels)))

    def make_feed(seed: int, skips: Skips) -> Feed:
        return ArrayFeed(arrays, len(arrays), shuffle=False, seed=seed, skips=skips)

    return replace(source, steps_per_epoch=1, batch_size=len(arrays), validation={}, make_feed=make_feed)


def _short(part: Part, source: DataSource) -> Part:
    if isinstance(part, DatasetPart):
        return replace(part, make=lambda: part.make().take(VALIDATION_BATCHES))
    return part.take(np.arange(min(len(part), VALIDATION_BATCHES * source.batch_size)))


class RepeatedFeed:
    """Feed of one batch, in local variables that are fed once.

    Args:
        batch: Inputs and labels, arrays by name.
        source: Source of the data, which tells inputs from labels.
    """

    def __init__(self, batch: Mapping[str, Any], source: DataSource) -> None:
        self._arrays = batch
        self._names = tuple(source.inputs), tuple(source.labels)
        self._tables = local_tables("one_batch", batch)

    def batch_indices(self, step: Any, count: int, run_steps: int) -> Any:  # noqa: ARG002 - of the protocol
        """Returns zeros, int64 [count]: there is one batch."""
        return tf.zeros([count], tf.int64)

    def batch(self, indices: Any) -> tuple[Batch, Any]:  # noqa: ARG002 - of the protocol
        """Returns the batch; it is in memory, so the wait is 0 s."""
        inputs, labels = ({name: self._tables[name][0].read_value() for name in names} for names in self._names)
        return (inputs, labels), tf.constant(0.0, tf.float64)

    def initialise(self, session: Any) -> None:
        """Feeds the batch to the session."""
        fill_tables(session, self._tables, self._arrays)


class RecordedFeed:
    """Feed whose last batch can be read after the step, so that the step can be looked into.

    Args:
        feed: Feed that gives the batches.
        source: Source of the data, whose specs the batches have.
    """

    def __init__(self, feed: Feed, source: DataSource) -> None:
        self.feed = feed
        specs = {**source.inputs, **source.labels}
        self._last = {name: _variable(f"last_batch/{name}", spec) for name, spec in specs.items()}
        with tf.init_scope():
            self._read = {name: variable.read_value() for name, variable in self._last.items()}
        self._names = tuple(source.inputs), tuple(source.labels)

    def batch_indices(self, step: Any, count: int, run_steps: int) -> Any:
        """Returns those of the feed."""
        return self.feed.batch_indices(step, count, run_steps)

    def batch(self, indices: Any) -> tuple[Batch, Any]:
        """Returns the batch of the feed, and keeps it."""
        (inputs, labels), secs = self.feed.batch(indices)
        kept = [self._last[name].assign(value, read_value=False) for name, value in {**inputs, **labels}.items()]
        with tf.control_dependencies(kept):
            inputs, labels = tf.nest.map_structure(tf.identity, (dict(inputs), dict(labels)))
        return (inputs, labels), secs

    def initialise(self, session: Any) -> None:
        """Starts the feed."""
        self.feed.initialise(session)

    def last_batch(self, session: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Returns inputs and labels of the last batch, arrays by name."""
        values = session.run(self._read)
        inputs, labels = ({name: values[name] for name in names} for names in self._names)
        return inputs, labels


def _variable(name: str, spec: Any) -> Any:
    """Returns a variable of batches, which may have another size each."""
    sizes = [0] if spec.shape.rank is None else [size or 0 for size in spec.shape.as_list()]
    with tf.init_scope():
        return v1.get_variable(
            name,
            initializer=v1.placeholder_with_default(tf.zeros(sizes, spec.dtype), spec.shape),
            validate_shape=False,
            trainable=False,
            use_resource=True,
            collections=[v1.GraphKeys.LOCAL_VARIABLES],
        )
