"""Reader of the tensors in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.checkpoints.contents import OPAQUE, Tensor
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, describe

v1 = tf.compat.v1


class TensorReader:
    """Reader of a checkpoint's tensors; each is compared with its CRC.

    Args:
        prefix: Prefix of the checkpoint's files.

    Raises:
        CheckpointError: The checkpoint cannot be read.

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
        """Shapes of the tensors, by name."""
        return {name: tensor.shape or () for name, tensor in self.tensors.items()}

    def is_opaque(self, name: str) -> bool:
        """Returns whether a tensor has no form outside a graph."""
        return self.tensors[name].dtype in OPAQUE

    @property
    def readable(self) -> dict[str, Tensor]:
        """Tensors that have a value outside a graph, by name."""
        return {name: tensor for name, tensor in self.tensors.items() if not self.is_opaque(name)}

    def value(self, name: str) -> Array:
        """Returns the value of a tensor.

        Raises:
            CheckpointError: The bytes on the disk are not those that were written.
        """
        try:
            return np.asarray(self._reader.get_tensor(name))
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{self.prefix}: {name} cannot be read ({describe(error)})") from error


def stored_tensors(prefix: Path) -> dict[str, Tensor]:
    """Returns the dtypes and shapes of a checkpoint's tensors, by name.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        dtypes = reader.get_variable_to_dtype_map()
        return {
            name: Tensor(dtypes[name].name, tuple(shape)) for name, shape in reader.get_variable_to_shape_map().items()
        }
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{prefix} cannot be read as a checkpoint: {str(error).splitlines()[0]}") from error
