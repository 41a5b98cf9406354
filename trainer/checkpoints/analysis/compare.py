"""Comparison of two checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.checkpoints.analysis.inspect import as_numbers
from trainer.checkpoints.contents import Tensor
from trainer.checkpoints.reading.reader import TensorReader
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.data.arrays import Array


@dataclass(frozen=True)
class Difference:
    """Variable that differs.

    Args:
        name: Name in the files.
        a: Dtype and shape in the first checkpoint; None if the variable is not in it.
        b: Dtype and shape in the second checkpoint; None if the variable is not in it.
        absolute: Largest |b - a| of an element; nan if a or b is nan; None if the values cannot be compared
            or are not numeric.
        relative: Largest |b - a| / max(|a|, |b|) of an element, between 0 and 2: an element that was 0
            gives 1, not infinity. None if the values cannot be compared or are not numeric.
    """

    name: str
    a: Tensor | None
    b: Tensor | None
    absolute: float | None = None
    relative: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison of two checkpoints.

    Args:
        differences: Variables that differ, sorted by name.
        same: Names of the variables that are the same bit for bit.
        unread: Names of the variables in both that have no form outside a graph, so they were not compared.
    """

    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    unread: tuple[str, ...]


def compare(a: Reference, b: Reference) -> Comparison:
    """Compares names, shapes, dtypes and values of two checkpoints' variables.

    Args:
        a: Reference to the first checkpoint, as ``trainer.checkpoints.find`` takes it.
        b: Reference to the second checkpoint, as ``trainer.checkpoints.find`` takes it.

    Raises:
        RequestError: There is no such checkpoint.
        CheckpointError: A checkpoint is damaged.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import tensorflow as tf
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, w in (("model-1", [1.0, 2.0]), ("model-2", [1.0, 4.0])):
        ...     _ = tf.raw_ops.SaveV2(
        ...         prefix=str(folder / name), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant(w)]
        ...     )
        >>> (change,) = compare(folder / "model-1", folder / "model-2").differences
        >>> change.name, change.absolute, change.relative
        ('w', 2.0, 0.5)
    """
    first, second = (TensorReader(resolve_checkpoint(each).prefix) for each in (a, b))
    found, same, unread = [], [], []
    for name in sorted({*first.tensors, *second.tensors}):
        one, other = first.tensors.get(name), second.tensors.get(name)
        if one and other and first.is_opaque(name) and second.is_opaque(name):
            unread.append(name)
        elif one is None or other is None or one != other:
            found.append(Difference(name, one, other))
        elif _same(x := first.value(name), y := second.value(name)):
            same.append(name)
        else:
            found.append(Difference(name, one, other, *largest_change(x, y)))
    return Comparison(tuple(found), tuple(same), tuple(unread))


def _same(a: Array, b: Array) -> bool:
    if a.dtype.kind == "O":
        return bool(np.array_equal(a, b))
    return a.tobytes() == b.tobytes()


def largest_change(a: Array, b: Array) -> tuple[float | None, float | None]:
    """Returns the largest absolute and the largest relative change of an element.

    Args:
        a: Array of any shape and dtype.
        b: Array of the same shape and dtype.

    Returns:
        Both changes, as in ``Difference``.

    Example:
        >>> largest_change(np.array([0.0, 2.0, 4.0]), np.array([0.5, 2.0, 3.0]))
        (1.0, 1.0)
    """
    x, y = as_numbers(a), as_numbers(b)
    if x is None or y is None:
        return None, None
    with np.errstate(invalid="ignore"):
        change = np.where(x == y, 0.0, np.abs(y - x))
    scale = np.maximum(np.abs(x), np.abs(y))
    relative = np.divide(change, scale, out=np.zeros_like(change), where=change != 0)
    return float(change.max(initial=0.0)), float(relative.max(initial=0.0))
