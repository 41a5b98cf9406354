"""Reader of the tensors in a checkpoint; TensorFlow is imported for the forms that only it reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from trainer.checkpoints import reading
from trainer.checkpoints.contents import OPAQUE, Tensor
from trainer.checkpoints.reading.bundle import Bundle, UnknownFormError, read_bundle
from trainer.checkpoints.store import INDEX
from trainer.data.arrays import Array
from trainer.tensorflow_import import ensure_tensorflow


class TensorReader:
    """Reader of a checkpoint's tensors; each is compared with its CRC.

    Args:
        prefix: Prefix of the checkpoint's files.

    Raises:
        CheckpointError: The checkpoint cannot be read.

    Example:
        >>> import tempfile, tensorflow as tf
        >>> prefix = Path(tempfile.mkdtemp(), "model-1")
        >>> w = tf.constant([1.0, 2.0])
        >>> _ = tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=["w"], shape_and_slices=[""], tensors=[w])
        >>> reader = TensorReader(prefix)
        >>> str(reader.tensors["w"]), reader.value("w").tolist()
        ('float32 [2]', [1.0, 2.0])
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self._bundle = _bundle(prefix)
        self.tensors: Mapping[str, Tensor] = dict(sorted(_tensors(self._bundle, prefix).items()))

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the tensors, by name."""
        return {name: tensor.shape or () for name, tensor in self.tensors.items()}

    @cached_property
    def missing_files(self) -> list[Path]:
        """Paths of the files with values that are not there; the types of all tensors are known without them."""
        return self._bundle.missing_files if self._bundle else []

    def size(self, name: str) -> int:
        """Returns the number of bytes that a tensor has in the file."""
        return self._bundle.entries[name].size if self._bundle else self.value(name).nbytes

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
        if self._bundle and self._bundle.can_read(name):
            return self._bundle.value(name)
        return self._tensorflow.value(name)

    @cached_property
    def _tensorflow(self) -> reading.TensorflowReader:
        return _by_tensorflow(self.prefix)


def stored_tensors(prefix: Path) -> dict[str, Tensor]:
    """Returns the dtypes and shapes of a checkpoint's tensors, by name; its data files are not needed.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    return _tensors(_bundle(prefix), prefix)


def _tensors(bundle: Bundle | None, prefix: Path) -> dict[str, Tensor]:
    if bundle is None:
        return _by_tensorflow(prefix).tensors
    return {name: entry.tensor for name, entry in bundle.entries.items()}


def _bundle(prefix: Path) -> Bundle | None:
    """Returns the bundle of a checkpoint; None for one that only TensorFlow reads, such as a file of before 0.12."""
    if prefix.is_file() and not prefix.with_name(f"{prefix.name}{INDEX}").is_file():
        return None
    try:
        return read_bundle(prefix)
    except UnknownFormError:
        return None


def _by_tensorflow(prefix: Path) -> reading.TensorflowReader:
    ensure_tensorflow()
    return reading.TensorflowReader(prefix)
