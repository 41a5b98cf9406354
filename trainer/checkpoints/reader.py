"""Reading the tensors of a checkpoint, and what its ``.meta`` says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import CheckpointError, describe

v1 = tf.compat.v1

OPAQUE = ("variant", "resource")
"""Dtypes that have no form outside a graph: the state of a data pipeline is one."""


class TensorReader:
    """The tensors of a checkpoint; each is checked against its CRC as it is read.

    Args:
        prefix: of the checkpoint's files.

    Raises:
        CheckpointError: it cannot be read.

    Example:
        >>> import tempfile
        >>> prefix = Path(tempfile.mkdtemp(), "model-1")
        >>> w = tf.constant([1.0, 2.0])
        >>> _ = tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=["w"], shape_and_slices=[""], tensors=[w])
        >>> reader = TensorReader(prefix)
        >>> str(reader.tensors["w"]), reader.value("w").tolist()
        ('float32 [2]', [1.0, 2.0])
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.tensors: Mapping[str, Tensor] = dict(sorted(stored_tensors(prefix).items()))
        self._reader = tf.train.load_checkpoint(str(prefix))

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Name of a tensor to its shape."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    def is_opaque(self, name: str) -> bool:
        """Returns whether a tensor has no form outside a graph."""
        return self.tensors[name].dtype in OPAQUE

    @property
    def readable(self) -> dict[str, Tensor]:
        """The tensors that have a value outside a graph."""
        return {name: tensor for name, tensor in self.tensors.items() if not self.is_opaque(name)}

    def value(self, name: str) -> Array:
        """Returns a tensor's value.

        Raises:
            CheckpointError: what is on the disk is not what was written.
        """
        try:
            return np.asarray(self._reader.get_tensor(name))
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{self.prefix}: {name} cannot be read ({describe(error)})") from error


@dataclass(frozen=True)
class Tensor:
    """A variable as a graph declares it or a file stores it."""

    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def stored_tensors(prefix: Path) -> dict[str, Tensor]:
    """Reads what a checkpoint holds.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        dtypes = reader.get_variable_to_dtype_map()
        return {
            name: Tensor(dtypes[name].name, tuple(shape)) for name, shape in reader.get_variable_to_shape_map().items()
        }
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{prefix} cannot be read as a checkpoint: {str(error).splitlines()[0]}") from error
