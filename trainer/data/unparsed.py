"""Records of a data set, which are shuffled before they are parsed, and parsed in batches where that is faster."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CHUNK_BYTES = 2**24
"""Number of bytes of a text file that are looked at at a time."""

HEADER = struct.Struct("<QI")
"""Length of a record, and a checksum of the length; the record and its own checksum follow.

Format: tensorflow/core/lib/io/record_writer.h.
"""

CHECKSUM_BYTES = 4
NEWLINE = ord("\n")


@dataclass(frozen=True)
class Unparsed:
    """Records of a data set of single examples, for those who put them into batches themselves.

    Args:
        records: ``tf.data.Dataset`` of single records, in the order of the examples.
        parse: Function of a batch of records that returns the batch of examples; or of one record.
        count: Function that returns the number of records, without parsing any.
        one_by_one: Whether the function takes one record.

    Example:
        >>> Unparsed(None, len, lambda: 7).count()
        7
    """

    records: Any
    parse: Callable[..., Any]
    count: Callable[[], int]
    one_by_one: bool = False


def with_records(dataset: Any, unparsed: Unparsed) -> Any:
    """Returns a data set of single examples that knows its records; what is made from it by ``map`` does not.

    Args:
        dataset: ``tf.data.Dataset`` of single examples.
        unparsed: Its records.
    """
    dataset._trainer_unparsed = unparsed
    return dataset


def unparsed_of(dataset: Any) -> Unparsed | None:
    """Returns the records of a data set, or None where it has none of its own."""
    return getattr(dataset, "_trainer_unparsed", None)


def count_records(files: Iterable[str]) -> int:
    """Returns the number of records of TFRecord files, by the lengths that stand before them.

    Args:
        files: Paths of files without compression.
    """
    count = 0
    for file in files:
        with Path(file).open("rb") as stream:
            while len(header := stream.read(HEADER.size)) == HEADER.size:
                stream.seek(HEADER.unpack(header)[0] + CHECKSUM_BYTES, 1)
                count += 1
    return count


def count_lines(files: Iterable[str]) -> int:
    """Returns the number of lines that are not empty in text files, without the first of each."""
    return sum(_lines_in(Path(file)) - 1 for file in files)


def _lines_in(file: Path) -> int:
    count, rest = 0, b""
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            count += _filled(whole) if newline else 0
    return count + _filled(rest)


def _filled(text: bytes) -> int:
    """Returns the number of lines that are not empty in a text without its last newline."""
    # TensorFlow leaves out each carriage return.
    codes = np.frombuffer(text.replace(b"\r", b""), np.uint8)
    ends = np.append(np.flatnonzero(codes == NEWLINE), len(codes))
    return int(np.count_nonzero(np.diff(ends, prepend=-1) - 1))
