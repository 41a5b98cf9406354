"""Tensors that a checkpoint holds and those that a Saver wants, as plain data; no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...] | None
"""Size of each dimension, None for one that is not known; None for an unknown rank."""

OPAQUE = ("variant", "resource")
"""Dtypes that have no form outside a graph, such as that of a data pipeline's state."""


@dataclass(frozen=True)
class Tensor:
    """Type of a tensor, as a graph declares or a file stores it.

    Args:
        dtype: Name of the dtype, such as ``float32``.
        shape: Size of each dimension, None for one that is not known; None for an unknown rank.

    Example:
        >>> print(Tensor("float32", (3, 4)), "|", Tensor("int64", None))
        float32 [3, 4] | int64 of any shape
    """

    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype} of any shape" if self.shape is None else f"{self.dtype} {list(self.shape)}"

    def accepts(self, stored: Tensor) -> bool:
        """Returns whether a stored tensor can be restored into this one: an unknown size takes any."""
        if self.dtype != stored.dtype:
            return False
        if self.shape is None or stored.shape is None or self.dtype in OPAQUE:
            return True
        return len(self.shape) == len(stored.shape) and all(
            own in (None, other) for own, other in zip(self.shape, stored.shape, strict=True)
        )


@dataclass(frozen=True)
class Entry:
    """Tensor that a Saver writes and restores: a whole one, or a slice of one.

    Args:
        key: Name in the file; the slices of a partitioned variable share the name of the whole.
        slice_spec: Slice in TensorFlow's notation (``10 4 0,4:-``: full shape, then start and size of
            each dimension); '' for a whole tensor.
        tensor: Type of the tensor or of the slice.
    """

    key: str
    slice_spec: str
    tensor: Tensor

    @property
    def whole(self) -> Tensor:
        """Type of the whole tensor."""
        if not self.slice_spec:
            return self.tensor
        return Tensor(self.tensor.dtype, tuple(int(size) for size in self.slice_spec.split()[:-1]))


def type_of(tensor: Any) -> Tensor:
    """Returns the type of a tensor or a variable of TensorFlow."""
    shape = tensor.shape
    return Tensor(tensor.dtype.base_dtype.name, None if shape.rank is None else tuple(shape.as_list()))


def whole_tensors(entries: Iterable[Entry]) -> dict[str, Tensor]:
    """Returns the types of the whole tensors that a Saver writes and restores, by key.

    Example:
        >>> half = Tensor("float32", (5, 4))
        >>> found = whole_tensors([Entry("table", "10 4 0,5:-", half), Entry("table", "10 4 5,5:-", half)])
        >>> {key: str(tensor) for key, tensor in found.items()}
        {'table': 'float32 [10, 4]'}
    """
    return {entry.key: entry.whole for entry in entries}


def differences(stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> list[str]:
    """Returns a line for each tensor that is missing or differs; [] if the file fits."""
    lines = unmet(stored, declared)
    lines += [f"{name}: not in the graph, file {stored[name]}" for name in sorted(set(stored) - set(declared))]
    return lines


def unmet(stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> list[str]:
    """Returns a line for each declared tensor that the file does not hold; [] if the file can be restored."""
    lines = []
    for name, tensor in sorted(declared.items()):
        if name not in stored:
            lines.append(f"{name}: graph {tensor}, not in the file")
        elif not tensor.accepts(stored[name]):
            lines.append(f"{name}: graph {tensor}, file {stored[name]}")
    return lines
