"""Data as a user gives it, as a source of batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trainer.checks import check_int
from trainer.data.arrays import Arrays, InMemory
from trainer.data.mapped import Mapped
from trainer.data.streamed import Streamed
from trainer.errors import RequestError

EXPECTED = (
    "it must be (inputs, labels) or (inputs, labels, sample_weight) of arrays, trainer.Arrays, a function that returns "
    "a tf.data.Dataset, or a data source of this trainer"
)


def source_of(data: Any, validation: Any, *, floats: Any = None, **options: Any) -> Any:
    """Returns a source of batches.

    Args:
        data: Arrays, a tuple of them, a function that makes a data set, or a source, which is taken as it is.
        validation: Share of the examples, arrays, a function that makes a data set, or None.
        floats: Dtype to which arrays of floating-point numbers are cast, or None to leave them.
        options: Other arguments of ``fit`` about the data, such as ``batch_size`` and ``shuffle``.

    Raises:
        RequestError: The data is none of these, or the options do not fit it.
    """
    if isinstance(data, InMemory | Mapped | Streamed):
        if validation is not None:
            raise RequestError(
                f"validation is given beside a {type(data).__name__}, which has its own; give it there",
                argument="validation",
            )
        return data
    if isinstance(data, Arrays | tuple | list):
        return _in_memory(arrays_of(data, "data", floats), validation, floats, options)
    if callable(data) and not isinstance(data, type):
        return _streamed(data, validation, options)
    raise RequestError(f"data is a {type(data).__name__}; {_remedy(data)}", argument="data")


def arrays_of(data: Any, argument: str, floats: Any = None) -> Arrays:
    """Returns arrays as ``Arrays``; lists of numbers, frames and tensors become arrays.

    Args:
        data: ``Arrays``, or a tuple (inputs, labels[, sample_weight]) of arrays, tuples or dicts.
        argument: Name of the argument, for errors.
        floats: Dtype to which arrays of floating-point numbers are cast, or None to leave them.

    Raises:
        RequestError: The tuple has another length, or a value is not an array.

    Example:
        >>> arrays = arrays_of(({"a": [1.0, 2.0]}, [[0], [1]]), "data", np.float32)
        >>> arrays.inputs["a"].dtype.name, arrays.labels.shape
        ('float32', (2, 1))
    """
    if isinstance(data, Arrays):
        return data
    if not isinstance(data, tuple | list) or not 1 <= len(data) <= 3:
        what = f"a {type(data).__name__}" + (f" of {len(data)} parts" if isinstance(data, tuple | list) else "")
        raise RequestError(f"{argument} is {what}; {EXPECTED}", argument=argument)
    names = ("inputs", "labels", "sample_weight")
    return Arrays(*(_as_arrays(part, f"{argument}: {name}", floats) for name, part in zip(names, data, strict=False)))


def describe_data(source: Any) -> dict[str, Any]:
    """Returns what a resume compares: names, dtypes, shapes and number of examples of arrays, else the function."""
    if isinstance(source, InMemory):
        arrays = {name: f"{a.dtype.name} {list(a.shape[1:])}" for name, a in source.train.all.items()}
        return {"examples": len(source.train), "shuffle": source.shuffle, **arrays}
    dataset = getattr(source, "dataset", source)
    return {"dataset": getattr(dataset, "__qualname__", type(dataset).__qualname__)}


def _as_arrays(part: Any, argument: str, floats: Any) -> Any:
    if part is None:
        return None
    if isinstance(part, Mapping):
        return {str(name): _as_arrays(each, f"{argument} {name!r}", floats) for name, each in part.items()}
    if isinstance(part, tuple) or (isinstance(part, list) and part and hasattr(part[0], "shape") and part[0].shape):
        return tuple(_as_arrays(each, argument, floats) for each in part)
    try:
        array = np.asarray(part)
    except Exception as error:
        raise RequestError(f"{argument} cannot be made an array ({error}); give arrays of one shape") from error
    if array.dtype == object:
        raise RequestError(
            f"{argument} is a {type(part).__name__} of objects, not of numbers or text of one kind; make it an array "
            "of one dtype, and give sequences of varying length as a tf.data.Dataset"
        )
    return array.astype(floats) if floats is not None and array.dtype.kind == "f" else array


def _in_memory(arrays: Arrays, validation: Any, floats: Any, options: Mapping[str, Any]) -> InMemory:
    if isinstance(validation, tuple | list):
        validation = arrays_of(validation, "validation", floats)
    for name in ("batched", "pad", "bucket_boundaries"):
        if options.get(name):
            raise RequestError(f"{name} is for a function that makes a data set; data is arrays", argument=name)
    share = validation if isinstance(validation, float) else 0.0
    batch_size = check_int("batch_size", options["batch_size"], minimum=1)
    # As Keras does it, data that does not fill a batch is one batch.
    fitting = max(1, min(batch_size, len(arrays) - round(len(arrays) * share)))
    given = 0.0 if validation is None else validation
    return InMemory(arrays, fitting, shuffle=options["shuffle"], validation=given)


def _streamed(dataset: Callable[[], Any], validation: Any, options: Mapping[str, Any]) -> Streamed:
    if isinstance(validation, float | int):
        raise RequestError(
            f"validation ({validation}) is a share, and a data set is not split; give a function that makes the data "
            "set of the validation examples",
            argument="validation",
        )
    if isinstance(validation, tuple | list):
        arrays = arrays_of(validation, "validation")
        validation = lambda: arrays  # noqa: E731 - a function of one value
    others: dict[str, Any] = {name: value for name, value in options.items() if name != "shuffle"}
    if not options["shuffle"]:
        others["shuffle_buffer"] = 0
    return Streamed(dataset, validation=validation, **others)


def _remedy(data: Any) -> str:
    if isinstance(data, np.ndarray):
        return "give inputs and labels together: (inputs, labels)"
    if hasattr(data, "element_spec"):
        return (
            "a data set made outside the graph cannot be used in it: give the function that makes it, such as "
            "lambda: tf.data.Dataset.from_tensor_slices(...)"
        )
    return EXPECTED
