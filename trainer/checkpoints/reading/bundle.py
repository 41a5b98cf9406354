"""Tensor bundle: TensorFlow's files of a checkpoint since 0.12, read without TensorFlow.

``.index`` is a sorted table that has an entry with type, shape, position and checksum for each tensor; the bytes are in
``.data-00000-of-00001`` and so on.

Sources: tensorflow/core/lib/io/format.h and table_builder.h (the table, which is LevelDB's),
tensorflow/core/util/tensor_bundle (entries, and the form of strings).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import google_crc32c
import numpy as np
from google.protobuf.message import DecodeError

from trainer.checkpoints.contents import Tensor
from trainer.checkpoints.store import INDEX
from trainer.checkpoints.stored_checkpoint import TABLE_MAGIC
from trainer.data.arrays import Array
from trainer.errors import CheckpointError
from trainer.graphdef.declared import dtype_name, sizes_of
from trainer.graphdef.protos import tensor_bundle_pb2

FOOTER_BYTES = 48
TRAILER_BYTES = 5
"""Bytes after a block: its compression, and the checksum of both."""

SLICE_KEY = b"\0"
"""First byte of the key of a slice; no name of a tensor begins with it."""

NUMERIC = {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
NUMERIC |= {"float16", "float32", "float64", "complex64", "complex128", "bool"}
"""Types that NumPy has too."""

STRING = "string"


class UnknownFormError(CheckpointError):
    """Form of a file that only TensorFlow reads: compressed blocks, or another byte order."""


@dataclass(frozen=True)
class BundleEntry:
    """Tensor in a bundle.

    Args:
        tensor: Type of the tensor.
        shard: Number of the data file.
        offset: First byte in it.
        size: Number of bytes.
        checksum: Masked CRC-32C of the bytes.
        in_slices: Whether the tensor is stored in slices under other keys.
    """

    tensor: Tensor
    shard: int
    offset: int
    size: int
    checksum: int
    in_slices: bool


@dataclass(frozen=True)
class Bundle:
    """Content of an ``.index``.

    Args:
        prefix: Prefix of the checkpoint's files.
        shards: Number of data files.
        entries: Tensors by name.
    """

    prefix: Path
    shards: int
    entries: dict[str, BundleEntry]

    def data_file(self, shard: int) -> Path:
        """Returns the path of a data file."""
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")

    @property
    def missing_files(self) -> list[Path]:
        """Paths of the data files that hold tensors and are not there."""
        files = [self.data_file(shard) for shard in sorted({each.shard for each in self.entries.values()})]
        return [file for file in files if not file.is_file()]

    def can_read(self, name: str) -> bool:
        """Returns whether ``value`` reads a tensor; TensorFlow reads the others."""
        entry = self.entries[name]
        return not entry.in_slices and (entry.tensor.dtype in NUMERIC or entry.tensor.dtype == STRING)

    def value(self, name: str) -> Array:
        """Returns the value of a tensor; strings are an array of ``bytes`` objects.

        Raises:
            CheckpointError: The bytes are not there, or are not those that were written.
        """
        entry = self.entries[name]
        file = self.data_file(entry.shard)
        shape = tuple(size or 0 for size in entry.tensor.shape or ())
        content = _read(file, entry, name)
        try:
            if entry.tensor.dtype == STRING:
                strings, checksum = _strings(content, prod(shape))
                flat: Array = np.empty(len(strings), object)
                flat[:] = strings
            else:
                flat, checksum = np.frombuffer(content, entry.tensor.dtype), google_crc32c.value(content)
            value: Array = flat.reshape(shape)
        except (IndexError, ValueError) as error:
            raise CheckpointError(f"{file}: {name} has other bytes than {entry.tensor}") from error
        if masked(checksum) != entry.checksum:
            raise CheckpointError(f"{file}: the bytes of {name} are not those that were written (checksum)")
        return value


def read_bundle(prefix: Path) -> Bundle:
    """Reads the ``.index`` of a checkpoint; the data files need not be there.

    Raises:
        UnknownFormError: The file is whole, and of a form that only TensorFlow reads.
        CheckpointError: The file is missing or damaged.

    Example:
        >>> import tempfile, tensorflow as tf
        >>> prefix = Path(tempfile.mkdtemp(), "model-1")
        >>> w = tf.constant([1.0, 2.0])
        >>> _ = tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=["w"], shape_and_slices=[""], tensors=[w])
        >>> bundle = read_bundle(prefix)
        >>> str(bundle.entries["w"].tensor), bundle.value("w").tolist(), bundle.shards
        ('float32 [2]', [1.0, 2.0], 1)
    """
    file = prefix.with_name(f"{prefix.name}{INDEX}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from error
    try:
        table = dict(_table(content))
        header = tensor_bundle_pb2.BundleHeaderProto.FromString(table.pop(b""))
        if header.endianness != tensor_bundle_pb2.BundleHeaderProto.LITTLE:
            raise UnknownFormError(f"{file} has another byte order")
        entries = {key.decode(): _entry(value) for key, value in table.items() if not key.startswith(SLICE_KEY)}
    except (IndexError, KeyError, ValueError, DecodeError) as error:
        raise CheckpointError(f"{file} cannot be read as the index of a checkpoint: it is damaged") from error
    return Bundle(prefix, header.num_shards, entries)


def _read(file: Path, entry: BundleEntry, name: str) -> bytes:
    try:
        with file.open("rb") as opened:
            if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > file.stat().st_size:
                raise CheckpointError(f"{file} ends before {name}, which has {entry.size:,} bytes")
            opened.seek(entry.offset)
            return opened.read(entry.size)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from error


def _entry(content: bytes) -> BundleEntry:
    read = tensor_bundle_pb2.BundleEntryProto.FromString(content)
    tensor = Tensor(dtype_name(read.dtype), sizes_of(read.shape))
    return BundleEntry(tensor, read.shard_id, read.offset, read.size, read.crc32c, bool(read.slices))


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a sorted table."""
    footer = content[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or not footer.endswith(TABLE_MAGIC):
        raise ValueError("no footer")
    position = 0
    for _ in range(2):  # past the handle of the block on blocks, which has nothing that is needed
        _, position = _varint(footer, position)
    for _, handle in _block(content, *_handle(footer[position:])):
        yield from _block(content, *_handle(handle))


def _handle(content: bytes) -> tuple[int, int]:
    """Returns the offset and the size of a block."""
    offset, position = _varint(content, 0)
    return offset, _varint(content, position)[0]


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a block, whose keys leave out what they share with the one before."""
    block = content[offset : offset + size]
    trailer = content[offset + size : offset + size + TRAILER_BYTES]
    if len(trailer) < TRAILER_BYTES or len(block) < 4:
        raise ValueError("block outside the file")
    if masked(google_crc32c.value(block + trailer[:1])) != int.from_bytes(trailer[1:], "little"):
        raise ValueError("checksum of a block")
    if trailer[0] != 0:
        raise UnknownFormError("the index is compressed, which only TensorFlow reads")
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    key, position = b"", 0
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + own + length > end:
            raise ValueError("entry outside its block")
        key = key[:shared] + block[position : position + own]
        yield key, block[position + own : position + own + length]
        position += own + length


def _strings(content: bytes, count: int) -> tuple[list[bytes], int]:
    """Returns strings and the checksum of what it is of: lengths in fixed size, their checksum, and the bytes."""
    position, checksum, lengths = 0, 0, []
    for _ in range(count):
        length, position = _varint(content, position)
        if length > len(content):
            raise ValueError("string outside its file")
        checksum = google_crc32c.extend(checksum, length.to_bytes(4 if length < 2**32 else 8, "little"))
        lengths.append(length)
    checksum = google_crc32c.extend(checksum, content[position : position + 4])
    position += 4
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return strings, google_crc32c.extend(checksum, b"".join(strings))


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Returns a number of seven bits a byte, the lowest first, and the position after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80 and number < 2**64:
            return number, position
    raise ValueError("number of more than 64 bits")


def masked(checksum: int) -> int:
    """Returns a CRC-32C as files hold it, so that a checksum of checksums is no special case.

    Source: tensorflow/core/lib/hash/crc32c.h.

    Example:
        >>> hex(masked(0))
        '0xa282ead8'
    """
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
