"""What differs between two checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.checkpoints.analysis.inspect import as_numbers
from trainer.checkpoints.reader import Tensor, TensorReader
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.data.arrays import Array


@dataclass(frozen=True)
class Difference:
    """A variable that differs.

    Args:
        name: in the files.
        a: its dtype and shape in the first checkpoint; None where it is not there.
        b: the same in the second.
        absolute: the largest |b - a| of an element; nan where one of the two is nan; None where the
            values cannot be compared or are no numbers.
        relative: the largest |b - a| / max(|a|, |b|) of an element, between 0 and 2, so that an
            element that was 0 gives 1 and not infinity.
    """

    name: str
    a: Tensor | None
    b: Tensor | None
    absolute: float | None = None
    relative: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints side by side.

    Args:
        differences: the variables that differ, by name.
        same: the names of those that are the same bit for bit.
        unread: those that have no form outside a graph, and are in both.
    """

    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    unread: tuple[str, ...]


def compare(a: Reference, b: Reference) -> Comparison:
    """Compares names, shapes, dtypes and values.

    Args:
        a: Reference to the first checkpoint, as ``trainer.checkpoints.find`` takes it.
        b: Reference to the second checkpoint.

    Raises:
        RequestError: There is no such checkpoint.
        CheckpointError: A checkpoint is damaged.

    Example:
        >>> import tempfile
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
        a: of any shape and dtype.
        b: of the same.

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
