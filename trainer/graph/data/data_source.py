"""Specs, length and example batch of a data source, read before the graph is built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array, InMemory
from trainer.data.mapped import Mapped
from trainer.data.streamed import Streamed
from trainer.errors import RequestError, describe
from trainer.graph.data.background_call import closing_in_time, in_background
from trainer.graph.data.batching import batches, explained, is_batched_twice, may_vary, varies
from trainer.graph.data.composites import rows
from trainer.graph.data.dataset_calls import call_dataset, check_dataset, count_elements, warn_of_unsaved
from trainer.graph.data.element_structure import NAMED, ElementSpecs, ElementStructure, dense_by_name, element_specs
from trainer.graph.data.feeds import ArrayFeed, DatasetFeed, Feed, Skips
from trainer.graph.data.mapped_feed import MappedFeed, example_of, held_out_batches
from trainer.graph.data.validation_parts import DatasetPart, Part, PartRules, dtype_of, validation_parts
from trainer.graph.ops.devices import building
from trainer.graph.ops.random_ops import ops_in
from trainer.graph.state.run_savers import saveables_of
from trainer.timing import timed

v1 = tf.compat.v1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataSource:
    """Properties of a data source, read once.

    Args:
        inputs: Specs of the inputs, ``tf.TensorSpec`` [None, ...] by name.
        labels: Specs of the labels, ``tf.TensorSpec`` [None, ...] by name.
        steps_per_epoch: Number of full batches in one pass.
        batch_size: Number of examples in a batch.
        example: Inputs and labels of one batch by name, used to check exports.
        validation: Validation parts, never trained on, by name; '' is the name of a single one.
        make_feed: Function of seed and skips that adds the feed of the training part to the default graph.
        structure: Form in which a model gets inputs and labels.
    """

    inputs: dict[str, Any]
    labels: dict[str, Any]
    steps_per_epoch: int
    batch_size: int
    example: dict[str, Array]
    validation: Mapping[str, Part]
    make_feed: Callable[[int, Skips], Feed]
    structure: ElementStructure = NAMED


BATCHED_TWICE = (
    "the data set ends in batches of its own, which are batched again as if each were one example; set batched=true if "
    "they are the batches to train on"
)

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
        return _in_memory(data, count_secs)
    if isinstance(data, Streamed):
        try:
            return _streamed(data, count_secs)
        except (tf.errors.OpError, MemoryError) as error:
            raise RequestError(f"the data set cannot be read: {describe(error)}", argument="dataset") from error
    if isinstance(data, Mapped):
        return _mapped(data, count_secs)
    raise RequestError(
        f"data is a {type(data).__name__}; it must be a trainer.data.arrays.InMemory, a "
        "trainer.data.streamed.Streamed or a trainer.data.mapped.Mapped",
        argument="data",
    )


def _in_memory(data: InMemory, count_secs: float) -> DataSource:
    def specs(arrays: dict[str, Array]) -> dict[str, Any]:
        return {name: spec_of(name, array) for name, array in arrays.items()}

    train = data.train
    if not data.shuffle and (left_out := len(train) % data.batch_size):
        log.info(
            "the last %d of %s examples fill no batch of %d; without a shuffle each epoch leaves them out",
            left_out,
            f"{len(train):,}",
            data.batch_size,
        )
    structure = ElementStructure(form=train.form)
    training = ElementSpecs(structure, specs(train.named_inputs), specs(train.named_labels))
    batches = lambda dataset: dataset.batch(data.batch_size)  # noqa: E731
    return DataSource(
        inputs=training.inputs,
        labels=training.labels,
        steps_per_epoch=data.steps_per_epoch,
        batch_size=data.batch_size,
        example={name: array[: data.batch_size] for name, array in train.all.items()},
        validation=validation_parts(data.validation, PartRules(training, batches, count_secs=count_secs)),
        make_feed=lambda seed, skips: ArrayFeed(train, data.batch_size, shuffle=data.shuffle, seed=seed, skips=skips),
        structure=structure,
    )


def _mapped(data: Mapped, count_secs: float) -> DataSource:
    def specs(files: Mapping[str, Any]) -> dict[str, Any]:
        return {name: spec_of(name, file) for name, file in files.items()}

    structure = ElementStructure(form=data.form)
    training = ElementSpecs(structure, specs(data.inputs), specs(data.labels))
    if data.validation_rows is None:
        rules = PartRules(training, lambda dataset: dataset.batch(data.batch_size), count_secs=count_secs)
        validation = validation_parts(data.validation, rules)
    else:
        count = len(data.validation_rows)
        validation = {"": DatasetPart(lambda: held_out_batches(data, count), "validation", is_known=True)}
    return DataSource(
        inputs=training.inputs,
        labels=training.labels,
        steps_per_epoch=data.steps_per_epoch,
        batch_size=data.batch_size,
        example=example_of(data),
        validation=validation,
        make_feed=lambda seed, skips: MappedFeed(data, seed=seed, skips=skips),
        structure=structure,
    )


def spec_of(name: str, array: Any) -> Any:
    """Returns the ``tf.TensorSpec`` [None, ...] of an array [examples, ...]."""
    return tf.TensorSpec([None, *array.shape[1:]], dtype_of(array), name)


def _streamed(data: Streamed, count_secs: float) -> DataSource:
    with building(tf.Graph()), closing_in_time(v1.Session()) as session:
        dataset = check_dataset(call_dataset(data.dataset, "dataset", batched=data.batched), "dataset")
        if data.stores_position:
            buffered = data.shuffle_buffer > 0 and not data.batched
            warn_of_unsaved("dataset", ops_in(session.graph), buffered=buffered)
        if is_batched_twice(data, dataset):
            log.warning(BATCHED_TWICE)
        specs = element_specs(batches(data, dataset, training=False).element_spec, varies=varies(data, dataset))
        training = batches(data, dataset, training=True)
        # The pipeline may have variables and tables of its own.
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        example = _first_batch(data, dataset, training, specs, session)
        if not data.save_position:
            log.warning("save_position of the data is false: a resume starts the data from its beginning")
        steps = data.steps_per_epoch or _steps(data, dataset, training, session, count_secs)
    rules = PartRules(
        specs,
        lambda made: batches(data, made, training=False),
        most=data.validation_steps,
        count_secs=count_secs,
        batched=data.batched,
        may_vary=lambda made: may_vary(data, made),
    )
    validation = validation_parts(data.validation, rules)
    if data.stores_position:
        _check_position(data)
    return DataSource(
        inputs=specs.inputs,
        labels=specs.labels,
        steps_per_epoch=steps,
        batch_size=data.batch_size,
        example=example,
        validation=validation,
        make_feed=lambda seed, skips: DatasetFeed(data, seed=seed, skips=skips),
        structure=specs.structure,
    )


def _steps(data: Streamed, dataset: Any, training: Any, session: Any, count_secs: float) -> int:
    """Returns the number of batches in a pass; buckets have as many as there are, the others are full."""
    if data.batched or data.bucket_boundaries is not None:
        return count_elements(training, session, "steps_per_epoch", count_secs)
    return count_elements(dataset, session, "steps_per_epoch", count_secs) // data.batch_size


def _first_batch(data: Streamed, dataset: Any, training: Any, specs: ElementSpecs, session: Any) -> dict[str, Array]:
    """Returns the dense tensors of the first batch by name.

    Raises:
        RequestError: There is no full batch, a tensor varies, or the tensors have different numbers of examples.
    """
    iterator = v1.data.make_initializable_iterator(training)
    inputs, labels = dense_by_name(iterator.get_next())
    batch = {**inputs, **labels}
    sizes = {name: rows(name, each, batch) for name, each in specs.structure.specs.items()}
    session.run(iterator.initializer)
    try:
        with timed("reading the first batch of the data set"):
            example, counts = in_background(lambda: session.run((batch, sizes)))
    except tf.errors.OutOfRangeError:
        if data.batched:
            raise RequestError("the data set has no batch", argument="dataset") from None
        twice = "; its elements are batches already, for which there is batched=true"
        raise RequestError(
            f"batch_size ({data.batch_size:,}) is larger than the data"
            f"{twice if is_batched_twice(data, dataset) else '; set a smaller one'}",
            argument="batch_size",
        ) from None
    except tf.errors.OpError as error:
        raise explained(error, data, dataset, session.run) from error
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise RequestError(
            f"the tensors of the first batch differ in their number of examples ({found}); the first axis of each must "
            "be the examples",
            argument="dataset",
        )
    return {name: np.asarray(value) for name, value in example.items()}


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
                "without it: a resume then starts the data from its beginning; or save_position=skip: it draws again, "
                "and leaves out, what the run had drawn",
                argument="save_position",
            ) from error
