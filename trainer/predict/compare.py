"""Comparison of two predictors on one batch; no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo


@dataclass(frozen=True)
class OutputDifference:
    """Largest differences between two values of one output.

    Args:
        output: Name of the output.
        shape: Shape of the first value.
        absolute: Largest difference; None if the values are not numeric or differ in shape.
        relative: Largest difference divided by the first value at the same index; None as for ``absolute``.
        of_range: Largest difference divided by the range of the first value (extended to include zero, as
            in int8 quantisation); None as for ``absolute``.
        same: True if all values are equal within the tolerance.
    """

    output: str
    shape: tuple[int, ...]
    absolute: float | None
    relative: float | None
    of_range: float | None
    same: bool


def compare_predictors(
    first: Predictor, second: Predictor, batch: Mapping[str, Any], tolerance: float = 1e-5
) -> tuple[OutputDifference, ...]:
    """Runs two predictors on a batch and compares the outputs that both have.

    Args:
        first: Reference.
        second: Predictor to compare with it; it may need fewer inputs.
        batch: Values by the names of the reference's inputs.
        tolerance: Absolute and relative tolerance.

    Raises:
        RequestError: The predictors have no output in common.
        TypeError, ValueError: The batch does not match the inputs.
    """
    common = [name for name in first.outputs if name in second.outputs]
    if not common:
        raise RequestError(
            f"{first.source} and {second.source} have no output in common: "
            f"{', '.join(first.outputs)} and {', '.join(second.outputs)}"
        )
    a = first(**batch)
    b = second(**{name: value for name, value in batch.items() if name in second.inputs})
    return tuple(difference(name, a[name], b[name], tolerance) for name in common)


def difference(output: str, first: Array, second: Array, tolerance: float) -> OutputDifference:
    """Returns the largest differences of two arrays; NaN equals NaN.

    Example:
        >>> found = difference("op", np.array([1.0, 5.0]), np.array([1.0, 4.0]), 0.1)
        >>> found.absolute, found.relative, found.of_range, found.same
        (1.0, 0.2, 0.2, False)
    """
    if first.shape != second.shape or first.dtype.kind not in "biufc" or second.dtype.kind not in "biufc":
        return OutputDifference(output, first.shape, None, None, None, np.array_equal(first, second))
    wide = np.complex128 if "c" in (first.dtype.kind, second.dtype.kind) else np.float64
    a, b = first.astype(wide), second.astype(wide)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        relative = np.where(off == 0, 0.0, off / np.abs(a))
        sizes = np.abs(a) if wide is np.complex128 else a
        width = np.max(sizes, initial=0.0) - np.min(sizes, initial=0.0)
        of_range = np.where(off == 0, 0.0, off / width)
    same = np.allclose(b, a, tolerance, tolerance, equal_nan=True)
    return OutputDifference(output, first.shape, _largest(off), _largest(relative), _largest(of_range), same)


def _largest(values: Array) -> float:
    return float(np.max(values, initial=0.0))


def completed_batch(given: Mapping[str, Any], inputs: Mapping[str, TensorInfo], seed: int) -> dict[str, Any]:
    """Returns a batch with random values for the required inputs that are not given, of as many examples.

    Args:
        given: Values by input; a flag such as ``keep_prob`` alone leaves all others to be made up.
        inputs: Inputs of the model by name.
        seed: Seed of the random values.

    Raises:
        RequestError: A value that is needed cannot be made up.

    Example:
        >>> rows, flag = TensorInfo("x:0", "float32", (None, 2)), TensorInfo("keep:0", "float32", (), optional=True)
        >>> completed_batch({"keep": 0.5}, {"x": rows, "keep": flag}, seed=0)["x"].shape
        (16, 2)
    """
    missing = {name: info for name, info in inputs.items() if not info.optional and name not in given}
    counts = [len(value) for value in map(np.asarray, given.values()) if value.ndim]
    return {**random_batch(missing, seed, *counts[:1]), **given}


def random_batch(inputs: Mapping[str, TensorInfo], seed: int, examples: int = 16) -> dict[str, Array]:
    """Returns random values for all required inputs: floats from 0 to 1, integers 0 and 1.

    Args:
        inputs: Inputs by name.
        seed: Seed of the values.
        examples: Size of each axis of unknown size.

    Raises:
        RequestError: An input takes strings, or has no declared shape.

    Example:
        >>> random_batch({"x": TensorInfo("x:0", "int32", (None, 2))}, seed=0, examples=3)["x"].shape
        (3, 2)
    """
    generator = np.random.default_rng(seed)
    batch = {}
    for name, info in inputs.items():
        if info.optional:
            continue
        if info.shape is None or info.numpy_dtype.kind == "O":
            raise RequestError(
                f"no random value can be generated for the input {name!r} ({info}); give one", argument="batch"
            )
        shape = [examples if size is None else size for size in info.shape]
        floats = info.numpy_dtype.kind in "fcV"
        values = generator.random(shape) if floats else generator.integers(0, 2, shape)
        batch[name] = values.astype(info.numpy_dtype)
    return batch
