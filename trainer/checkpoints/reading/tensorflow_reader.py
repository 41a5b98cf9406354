"""Reader of the forms of checkpoints that only TensorFlow reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checkpoints.contents import Tensor
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, describe


class TensorflowReader:
    """Reader of a checkpoint's tensors by TensorFlow.

    Args:
        prefix: Prefix of the checkpoint's files.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        try:
            self._reader: Any = tf.train.load_checkpoint(str(prefix))
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{prefix} cannot be read as a checkpoint: {describe(error)}") from error

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Types of the tensors, by name."""
        dtypes = self._reader.get_variable_to_dtype_map()
        shapes = self._reader.get_variable_to_shape_map()
        return {name: Tensor(dtypes[name].name, tuple(shape)) for name, shape in shapes.items()}

    def value(self, name: str) -> Array:
        """Returns the value of a tensor.

        Raises:
            CheckpointError: The bytes on the disk are not those that were written.
        """
        try:
            return np.asarray(self._reader.get_tensor(name))
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{self._prefix}: {name} cannot be read ({describe(error)})") from error
