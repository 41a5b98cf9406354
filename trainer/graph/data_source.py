"""Specs, length and example batch of a data source, read before the graph is built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array, Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import RequestError, describe, place_in
from trainer.graph.background_call import closing_in_time, in_background
from trainer.graph.devices import building
from trainer.graph.element_structure import NAMED, ElementStructure
from trainer.graph.feeds import ArrayFeed, DatasetFeed, Feed, Skips, element_specs
from trainer.graph.pipeline_state import unsaved_in
from trainer.graph.random_ops import ops_in
from trainer.graph.run_savers import saveables_of
from trainer.timing import timed

v1 = tf.compat.v1
log = logging.getLogger(__name__)

Validation = Arrays | Callable[[], Any] | None
"""Arrays, a function that returns a ``tf.data.Dataset`` of single examples, or None."""


@dataclass(frozen=True)
class DataSource:
    """Properties of a data source, read once.

    Args:
        inputs: Specs of the inputs, ``tf.TensorSpec`` [None, ...] by name.
        labels: Specs of the labels, ``tf.TensorSpec`` [None, ...] by name.
        steps_per_epoch: Number of full batches in one pass.
        batch_size: Number of examples in a batch.
        example: Inputs and labels of one batch by name, used to check exports.
        validation: Validation part, never trained on.
        make_feed: Function of seed and skips that adds the feed of the training part to the default graph.
        structure: Form in which a model gets inputs and labels.
    """

    inputs: dict[str, Any]
    labels: dict[str, Any]
    steps_per_epoch: int
    batch_size: int
    example: dict[str, Array]
    validation: Validation
    make_feed: Callable[[int, Skips], Feed]
    structure: ElementStructure = NAMED


COUNT_SECS = 60.0
"""Seconds after which the count of a data set that does not know its length is given up: it may never end."""

RESUMED_COUNT_SECS = 3600.0
"""The same where the run has counted the data before: it ends, however slow the disk is this time."""


def inspect_source(data: Any, count_secs: float = COUNT_SECS) -> DataSource:
    """Returns specs, length and an example batch of a data source.

    Args:
        data: Source of the data.
        count_secs: Limit on the seconds of counting examples.

    Raises:
        RequestError: The data is not a data source, cannot be read, has no full batch or no end.
    """
    if isinstance(data, InMemory):
        return _in_memory(data)
    if isinstance(data, Streamed):
        try:
            return _streamed(data, count_secs)
        except (tf.errors.OpError, MemoryError) as error:
            raise RequestError(f"the data set cannot be read: {describe(error)}", argument="dataset") from error
    raise RequestError(
        f"data is a {type(data).__name__}; it must be a trainer.data.arrays.InMemory or a "
        "trainer.data.streamed.Streamed",
        argument="data",
    )


def _in_memory(data: InMemory) -> DataSource:
    def specs(arrays: dict[str, Array]) -> dict[str, Any]:
        return {name: spec_of(name, array) for name, array in arrays.items()}

    return DataSource(
        inputs=specs(dict(data.train.inputs)),
        labels=specs(dict(data.train.labels)),
        steps_per_epoch=data.steps_per_epoch,
        batch_size=data.batch_size,
        example={name: array[: data.batch_size] for name, array in data.train.all.items()},
        validation=data.validation,
        make_feed=lambda seed, skips: ArrayFeed(
            data.train, data.batch_size, shuffle=data.shuffle, seed=seed, skips=skips
        ),
    )


def spec_of(name: str, array: Array) -> Any:
    """Returns the ``tf.TensorSpec`` [None, ...] of an array [examples, ...]."""
    dtype = tf.string if array.dtype.kind in "SU" else tf.as_dtype(array.dtype)
    return tf.TensorSpec([None, *array.shape[1:]], dtype, name)


def _streamed(data: Streamed, count_secs: float) -> DataSource:
    with building(tf.Graph()), closing_in_time(v1.Session()) as session:
        dataset = call_dataset(data.dataset, "dataset")
        if data.save_position:
            warn_of_unsaved("dataset", ops_in(session.graph), buffered=data.shuffle_buffer > 0)
        inputs, labels = element_specs(dataset)
        iterator = v1.data.make_initializable_iterator(dataset.batch(data.batch_size, drop_remainder=True))
        batch = iterator.get_next()
        # The pipeline may have variables and tables of its own.
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        session.run(iterator.initializer)
        try:
            with timed("reading the first batch of the data set"):
                inputs_example, labels_example = in_background(lambda: session.run(batch))
        except tf.errors.OutOfRangeError:
            raise RequestError(
                f"batch_size ({data.batch_size:,}) is larger than the data; set a smaller one", argument="batch_size"
            ) from None
        if not data.save_position:
            log.warning("save_position of the data is false: a resume starts the data from its beginning")
        steps = data.steps_per_epoch or _examples(dataset, session, "steps_per_epoch", count_secs) // data.batch_size
        validation = _checked_validation(data, session, count_secs)
    if data.save_position:
        _check_position(data)
    return DataSource(
        inputs=inputs,
        labels=labels,
        steps_per_epoch=steps,
        batch_size=data.batch_size,
        example={name: np.asarray(value) for name, value in {**inputs_example, **labels_example}.items()},
        validation=validation,
        make_feed=lambda seed, skips: DatasetFeed(data, seed=seed, skips=skips),
    )


def _check_position(data: Streamed) -> None:
    """Checks that the position of the pipeline can be saved, so that the first save does not fail."""
    with building(tf.Graph()) as graph, closing_in_time(v1.Session()) as session:
        feed = DatasetFeed(data, seed=0, skips=Skips())
        batch, _ = feed.batch(feed.batch_indices(tf.constant(0, tf.int64), count=1, run_steps=1)[0])
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        feed.initialise(session)
        with timed("filling the shuffle buffer of the data set"):
            in_background(lambda: session.run(batch))
        saved = [spec.tensor.op for saveable in saveables_of(graph) for spec in saveable.specs]
        try:
            in_background(lambda: session.run(saved))
        except tf.errors.OpError as error:
            raise RequestError(
                f"the position of the data set cannot be saved ({describe(error)}); set save_position=false to train "
                "without it: a resume then starts the data from its beginning",
                argument="save_position",
            ) from error


def warn_of_unsaved(argument: str, ops: Sequence[Any], *, buffered: bool, restarts: bool = False) -> None:
    """Warns of what a checkpoint of a pipeline's position leaves out.

    Args:
        argument: Name of the argument that holds the function of the data set, for messages.
        ops: Ops of the pipeline and of its functions.
        buffered: Whether a shuffle of the trainer follows.
        restarts: Whether each use starts a new pass.
    """
    for unsaved in unsaved_in(ops, buffered=buffered, restarts=restarts):
        log.warning("%s %s", argument, unsaved)


def call_dataset(function: Callable[[], Any], argument: str) -> Any:
    """Returns the data set that a function adds to the default graph.

    Args:
        function: Function that makes the data set.
        argument: Name of the argument that holds the function, for messages.

    Raises:
        RequestError: The function raised.
    """
    try:
        return function()
    except RequestError as error:
        error.argument = f"{argument}.{error.argument}".removesuffix(".")
        raise
    except Exception as error:
        raise RequestError(f"{argument} raised {describe(error)}{place_in(error)}", argument=argument) from error


def _checked_validation(data: Streamed, session: Any, count_secs: float) -> Validation:
    """Returns the function of the validation part, which ends: an evaluation reads it to its end each time."""
    make = data.validation
    if make is None or data.validation_steps is None:
        if make is not None:
            _examples(call_dataset(make, "validation"), session, "validation_steps", count_secs)
        return make
    most = data.validation_steps * data.batch_size
    return lambda: make().take(most)


def _examples(dataset: Any, session: Any, argument: str, count_secs: float) -> int:
    """Returns the number of elements; reads the data set once if it does not know its length.

    Args:
        dataset: Data set of single examples.
        session: Session of the graph that the data set is in.
        argument: Argument that makes the count needless, for messages.
        count_secs: Limit on the seconds of counting.

    Raises:
        RequestError: The data set never ends, or not within the limit.
    """
    which, remedy = {
        "steps_per_epoch": ("the data set", "the number of batches of an epoch"),
        "validation_steps": ("the validation data set", "the number of batches of an evaluation"),
    }[argument]
    known = int(session.run(dataset.cardinality()))
    if known >= 0:
        return known
    ends = f"set its {argument} to {remedy}"
    if known == tf.data.INFINITE_CARDINALITY:
        raise RequestError(f"{which} never ends; {ends}", argument=f"data.{argument}")
    count = dataset.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1)
    try:
        with timed(f"counting the examples of {which} ({argument} makes that needless)"):
            return int(in_background(lambda: session.run(count), count_secs))
    except TimeoutError as error:
        raise RequestError(
            f"{which} does not know its length, and has not ended after {count_secs:.0f} s of counting; {ends}",
            argument=f"data.{argument}",
        ) from error
