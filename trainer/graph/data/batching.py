"""Batches of a pipeline: of equal shapes, padded, by length, or as its author made them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checks import suggestion
from trainer.data.element_form import in_sequence_of, mapped, named_parts, split_element
from trainer.data.streamed import Streamed
from trainer.data.unparsed import Unparsed, unparsed_of
from trainer.errors import RequestError
from trainer.graph.data.composites import is_composite
from trainer.graph.data.element_structure import without_none


def batches(data: Streamed, dataset: Any, *, training: bool) -> Any:
    """Returns the data set of batches of a data set of elements.

    Args:
        data: Settings.
        dataset: Data set of single examples, or of batches where the settings say so.
        training: Whether a short last batch is dropped, and buckets are used.

    Raises:
        RequestError: The elements cannot be padded, or no tensor has the name of a value to pad with.
    """
    if data.batched:
        return dataset
    if data.pads:
        check_padding(data, dataset.element_spec)
    values = _padding_values(data, dataset.element_spec) if data.pads else None
    if training and data.bucket_boundaries is not None:
        return dataset.bucket_by_sequence_length(
            _length_of(dataset.element_spec),
            data.bucket_boundaries,
            [data.batch_size] * (len(data.bucket_boundaries) + 1),
            padding_values=values,
        )
    if data.pads:
        return dataset.padded_batch(data.batch_size, padding_values=values, drop_remainder=training)
    unparsed = unparsed_of(dataset)
    if unparsed is None:
        return dataset.batch(data.batch_size, drop_remainder=training)
    return _parsed(unparsed.records, unparsed, data, training=training)


def shuffled_batches(data: Streamed, dataset: Any, seed: int) -> Any:
    """Returns the data set of training batches, in an order of the seed where the settings say so.

    Args:
        data: Settings.
        dataset: Data set of single examples, or of batches where the settings say so.
        seed: Seed of the order.
    """
    if data.batched or not data.shuffle_buffer:
        return batches(data, dataset, training=True)

    def shuffled(each: Any) -> Any:
        return each.shuffle(data.shuffle_buffer, seed=seed, reshuffle_each_iteration=True)

    unparsed = unparsed_of(dataset)
    if unparsed is None or data.pads:
        return batches(data, shuffled(dataset), training=True)
    return _parsed(shuffled(unparsed.records), unparsed, data, training=True)


def _parsed(records: Any, unparsed: Unparsed, data: Streamed, *, training: bool) -> Any:
    in_parallel = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    if unparsed.one_by_one:
        return records.map(unparsed.parse, **in_parallel).batch(data.batch_size, drop_remainder=training)
    return records.batch(data.batch_size, drop_remainder=training).map(unparsed.parse, **in_parallel)


BATCHES = frozenset(
    {"BatchDataset", "BatchDatasetV2", "PaddedBatchDataset", "PaddedBatchDatasetV2", "ParallelBatchDataset"}
)
"""Ops of data sets of batches."""


def is_batched_twice(data: Streamed, dataset: Any) -> bool:
    """Returns whether a data set ends in batches of its author's and is batched again."""
    return not data.batched and tf.data.experimental.to_variant(dataset).op.type in BATCHES


def varies(data: Streamed, dataset: Any) -> bool:
    """Returns whether the number of examples differs between the training batches."""
    if data.bucket_boundaries is not None:
        return True
    return data.batched and not all(_is_of_known_size(each) for each in tf.nest.flatten(dataset.element_spec))


def _is_of_known_size(spec: Any) -> bool:
    return isinstance(spec, tf.TensorSpec) and bool(spec.shape.rank) and spec.shape[0] is not None


def leaves_of(element: Any) -> dict[str, Any]:
    """Returns the leaves of an element, or of its spec, by name in the graph."""
    _, parts = named_parts(*(without_none(part) for part in split_element(element)))
    return {name: leaf for part in parts.values() for name, leaf in part.items()}


def check_padding(data: Streamed, spec: Any) -> None:
    """Checks that the tensors of an element can be padded.

    Raises:
        RequestError: One is ragged or sparse, or a name of the mapping is none of theirs.
    """
    leaves = leaves_of(spec)
    if name := next((name for name, each in leaves.items() if is_composite(each) or not _is_dense(each)), None):
        raise RequestError(
            f"{name!r} is a {type(leaves[name]).__name__.removesuffix('Spec')}, which needs no padding and cannot be "
            "padded; leave out pad and bucket_boundaries, or make it dense in the data set's map (to_tensor, "
            "tf.sparse.to_dense)",
            argument="pad",
        )
    for name in data.pad_values:
        if name not in leaves:
            raise RequestError(f"pad has a value for {name!r}; {suggestion(name, leaves)}", argument="pad")
    if data.bucket_boundaries is not None and not _lengths(spec):
        raise RequestError(
            "bucket_boundaries needs an input whose first axis differs between examples; they all have one length: "
            "leave it out",
            argument="bucket_boundaries",
        )


def _is_dense(spec: Any) -> bool:
    return isinstance(spec, tf.TensorSpec | tf.RaggedTensorSpec)


def _padding_values(data: Streamed, spec: Any) -> Any:
    """Returns the values to pad with in the form of an element; TensorFlow's own for what has no name in ``pad``."""
    values = {}
    for name, each in leaves_of(spec).items():
        given = data.pad_values.get(name)
        try:
            values[name] = None if given is None else tf.constant(given, each.dtype)
        except (TypeError, ValueError) as error:
            raise RequestError(
                f"pad has {given!r} for {name!r}, which is {each.dtype.name}; give a value of that type",
                argument="pad",
            ) from error
    form, _ = named_parts(*(without_none(part) for part in split_element(spec)))
    parts = [mapped(values.__getitem__, part) for part in form.all]
    return in_sequence_of(spec, parts[: len(spec)]) if isinstance(spec, tuple) else parts[0]


def _lengths(spec: Any) -> list[Callable[[Any], Any]]:
    """Returns functions of an element that give the lengths of the inputs that vary."""
    inputs, _, _ = split_element(spec)
    varying = [name for name, each in leaves_of(inputs).items() if each.shape.rank and each.shape[0] is None]
    return [functools.partial(_length, name) for name in varying]


def _length(name: str, element: Any) -> Any:
    return tf.shape(leaves_of(split_element(element)[0])[name])[0]


def _length_of(spec: Any) -> Callable[..., Any]:
    """Returns a function of the parts of an element that gives its length."""
    lengths = _lengths(spec)

    def length(*parts: Any) -> Any:
        element = parts if isinstance(spec, tuple) else parts[0]
        return tf.reduce_max([each(element) for each in lengths])

    return length


def explained(error: Exception, data: Streamed, dataset: Any, run: Callable[[Any], Any]) -> Exception:
    """Returns an error that names the tensor whose shape varies, where that is why no batch could be made.

    Args:
        error: Error of TensorFlow.
        data: Settings.
        dataset: Data set of single examples.
        run: Function that runs a tensor of the graph, after an initializer of an iterator.
    """
    open_names = may_vary(data, dataset)
    if not open_names:
        return error
    first: dict[str, Any] = {}
    iterator = tf.compat.v1.data.make_initializable_iterator(dataset.take(data.batch_size))
    tensors = leaves_of(iterator.get_next())
    shapes = {name: tf.shape(tensors[name]) for name in open_names if isinstance(tensors[name], tf.Tensor)}
    run(iterator.initializer)
    for index in range(data.batch_size):
        try:
            found = {name: np.asarray(shape).tolist() for name, shape in run(shapes).items()}
        except tf.errors.OpError:
            return error
        for name, shape in found.items():
            if first.setdefault(name, shape) != shape:
                return RequestError(varying(repr(name), first[name], shape, f"element {index}"), argument="pad")
    return error


def may_vary(data: Streamed, dataset: Any) -> dict[str, Any]:
    """Returns the shapes of the tensors of an example that may differ between the examples of a batch, by name."""
    if data.batched or data.pads:
        return {}
    leaves = leaves_of(dataset.element_spec)
    return {name: each.shape for name, each in leaves.items() if not each.shape.is_fully_defined()}


SHAPES = re.compile(r"to the batch: .*Shapes are: \[tensor\]: (\[.*?\]), \[batch\]: (\[.*?\])")
"""Text of TensorFlow's error about an example that does not fit into a batch."""


def varying_in(message: str, shapes: Mapping[str, Any]) -> str:
    """Returns which tensor varies, from TensorFlow's error about a batch; '' for another error.

    Args:
        message: Message of TensorFlow.
        shapes: Shapes of the tensors that may vary, by name.
    """
    found = SHAPES.search(message)
    if not found:
        return ""
    other, first = found.groups()
    fitting = [name for name, shape in shapes.items() if shape.is_compatible_with(json.loads(other))]
    return varying(" or ".join(map(repr, fitting)), first, other, "a later one") if fitting else ""


def varying(names: str, first: Any, other: Any, where: str) -> str:
    """Returns the message about a tensor whose shape differs between the examples of a batch."""
    return (
        f"{names} varies: its shape is {first} in the first element of a batch and {other} in {where}; set "
        "pad=true (padded in each batch), bucket_boundaries=[10, 20] (batches of similar lengths, padded) or "
        "batched=true (batches of your own)"
    )
