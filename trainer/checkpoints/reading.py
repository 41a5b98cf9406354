"""Reading the tensors of a checkpoint, and what its ``.meta`` says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.variable_pb2 import VariableDef

from trainer.checkpoints.differences import Tensor, stored_tensors
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError, describe

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


def read_meta(file: Path) -> Any:
    """Returns the MetaGraphDef of a ``.meta``; nothing of it is run.

    Raises:
        CheckpointError: it is damaged.
        RequestError: it cannot be opened.
    """
    try:
        meta = v1.MetaGraphDef.FromString(file.read_bytes())
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise CheckpointError(f"{file} is no graph, or only a part of one ({error})") from error
    if not meta.graph_def.node:
        raise CheckpointError(f"{file} holds no node of a graph")
    return meta


def trainable_names(meta: Any) -> set[str]:
    """Returns the names that the trainable variables of a MetaGraphDef have in a checkpoint."""
    values = meta.collection_def[v1.GraphKeys.TRAINABLE_VARIABLES].bytes_list.value
    variables = [VariableDef.FromString(value) for value in values]
    # The parts of a partitioned variable are one tensor in the file.
    return {v.save_slice_info_def.full_name or v.variable_name.partition(":")[0] for v in variables}
