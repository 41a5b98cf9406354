"""Data sets of the elements that a Python generator yields, with shapes and dtypes seen in the first ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.element_form import mapped
from trainer.errors import RequestError, describe, place_in
from trainer.graph.data.batching import leaves_of

SEEN = 32
"""Number of elements that are looked at for their shapes and dtypes; an axis whose size differs in them may differ."""

CHUNK = 64
"""Max number of examples that ``tf.data`` takes from Python at a time."""

CHUNK_BYTES = 2**22
"""Size of examples that is enough for ``tf.data`` to take them."""


def is_generator(made: Any) -> bool:
    """Returns whether what a function has made yields elements one after the other, and is no data set."""
    return isinstance(made, Iterator) and not isinstance(made, tf.data.Iterator)


def generator_dataset(function: Callable[[], Any], argument: str, *, batched: bool) -> Any:
    """Returns the data set of the elements of a generator function, which is called for each pass.

    Python's floats and float64 are float32, as models have them; Python's integers are int64.

    Args:
        function: Generator function without arguments.
        argument: Name of the argument that holds the function, for messages.
        batched: Whether the elements are batches, whose first axis may have any size.

    Raises:
        RequestError: The generator raises, yields nothing, or its first elements differ in their form.
    """
    try:
        seen = [_arrays(element) for element in itertools.islice(function(), SEEN)]
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(f"{argument} raised {describe(error)}{place_in(error)}", argument=argument) from error
    if not seen:
        raise RequestError(f"{argument} yields nothing", argument=argument)
    shapes: dict[str, list[int | None]] = {}
    first = leaves_of(seen[0])
    for index, element in enumerate(seen):
        leaves = leaves_of(element)
        _check(leaves, first, index, argument)
        for name, leaf in leaves.items():
            shapes[name] = _merged(shapes.get(name), leaf.shape, batched=batched)

    def elements() -> Iterator[Any]:
        for index, element in enumerate(function()):
            arrays = _arrays(element)
            leaves = leaves_of(arrays)
            _check(leaves, first, index, argument)
            _check_shapes(leaves, shapes, index, argument)
            yield arrays

    names = iter(first)
    signature = mapped(lambda leaf: _spec(leaf, shapes[next(names)]), seen[0])
    if batched:
        return tf.data.Dataset.from_generator(elements, output_signature=signature)
    many = tf.nest.map_structure(lambda spec: tf.TensorSpec([None, *spec.shape], spec.dtype), signature)
    chunks = tf.data.Dataset.from_generator(lambda: _in_chunks(elements()), output_signature=many)

    def one_by_one(*chunk: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(tf.nest.pack_sequence_as(many, tf.nest.flatten(chunk)))

    # The method unbatch ends the process where an element has an axis of size 0.
    return chunks.flat_map(one_by_one)


def _in_chunks(elements: Iterator[Any]) -> Iterator[Any]:
    """Yields elements of equal shapes together, since each call from ``tf.data`` costs as much as many elements.

    What came before an error of the generator is yielded before it is raised.
    """
    chunk: list[Any] = []
    shapes: list[Any] = []
    size = 0
    try:
        for element in elements:
            leaves = leaves_of(element).values()
            if chunk and (len(chunk) == CHUNK or size > CHUNK_BYTES or [leaf.shape for leaf in leaves] != shapes):
                yield _stacked(chunk)
                chunk, size = [], 0
            shapes = [leaf.shape for leaf in leaves]
            size += sum(leaf.nbytes for leaf in leaves)
            # A generator may yield one array again and again, filled anew.
            chunk.append(mapped(np.copy, element))
    except Exception:
        if chunk:
            yield _stacked(chunk)
        raise
    if chunk:
        yield _stacked(chunk)


def _stacked(chunk: list[Any]) -> Any:
    return tf.nest.map_structure(lambda *each: np.stack(each), *chunk)


def _arrays(element: Any) -> Any:
    """Returns an element with an array in the place of each leaf; a list is an array, as in ``tf.data``."""
    if isinstance(element, Mapping):
        return {name: _arrays(each) for name, each in element.items()}
    if isinstance(element, tuple):
        parts = list(element)
        while parts and parts[-1] is None:
            del parts[-1]
        arrays = [_arrays(each) for each in parts]
        return element._make(arrays) if hasattr(element, "_make") else tuple(arrays)
    array = np.asarray(element)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    return array


def _check(leaves: Mapping[str, Any], first: Mapping[str, Any], index: int, argument: str) -> None:
    if leaves.keys() != first.keys():
        raise RequestError(
            f"element {index} of {argument} has {', '.join(leaves)}, and element 0 has {', '.join(first)}; yield the "
            "same tuples and keys each time",
            argument=argument,
        )
    for name, leaf in leaves.items():
        if leaf.dtype.kind not in "biufcSU":
            raise RequestError(
                f"{name!r} of element {index} of {argument} is {leaf.dtype}, which TensorFlow does not support; yield "
                "an array of numbers, or text",
                argument=argument,
            )
        wanted = first[name]
        if leaf.ndim != wanted.ndim or (leaf.dtype != wanted.dtype and leaf.dtype.kind not in "SU"):
            raise RequestError(
                f"{name!r} of element {index} of {argument} is {leaf.dtype} {list(leaf.shape)}, and that of element 0 "
                f"{wanted.dtype} {list(wanted.shape)}; yield one dtype and number of axes",
                argument=argument,
            )


def _check_shapes(leaves: Mapping[str, Any], shapes: Mapping[str, Any], index: int, argument: str) -> None:
    for name, leaf in leaves.items():
        if not tf.TensorShape(shapes[name]).is_compatible_with(leaf.shape):
            raise RequestError(
                f"{name!r} of element {index} of {argument} has the shape {list(leaf.shape)}, and all of the first "
                f"{SEEN} had {shapes[name]}; let the first ones differ too, or return a tf.data.Dataset with an "
                "output_signature of your own",
                argument=argument,
            )


def _merged(known: list[int | None] | None, shape: Any, *, batched: bool) -> list[int | None]:
    sizes: list[int | None] = list(shape)
    if known is not None:
        sizes = [size if size == other else None for size, other in zip(sizes, known, strict=True)]
    return [None, *sizes[1:]] if batched and sizes else sizes


def _spec(leaf: Any, shape: list[int | None]) -> Any:
    dtype = tf.string if leaf.dtype.kind in "SU" else tf.as_dtype(leaf.dtype)
    return tf.TensorSpec(shape, dtype)
