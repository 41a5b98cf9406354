"""Checkpoint as its files show it, from this trainer or a plain ``tf.compat.v1.train.Saver``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from trainer.checkpoints.record import CommitRecord, read_record
from trainer.checkpoints.store import INDEX, META, RECORD, STATE_FILE, CheckpointStore
from trainer.errors import CheckpointError, RequestError

DATA_FILE = re.compile(r"(?P<name>.+)\.data-\d{5}-of-(?P<shards>\d{5})")
RECORD_FILE = re.compile(r"(?P<name>.+-\d+(\+\d+)?)\.json")
NUMBERED = re.compile(r"(?P<prefix>.*?)-(?P<number>\d+)(\+(?P<steps>\d+))?(-00000-of-00001)?")
"""Pattern of a checkpoint's name with a number; the last group is from sharded Savers before TensorFlow 0.12."""

FILE_OF_CHECKPOINT = re.compile(r"(?P<name>.+)\.(index|meta|json|data-\d{5}-of-\d{5})")
NOT_ONE_FILE = re.compile(r"\..*|.+\.(index|meta|json|pb|pbtxt|ldb|sst|data-\d{5}-of-\d{5}|tempstate\d+)")
ONE_OF_SHARDS = re.compile(r".+-\d{5}-of-(?!00001)\d{5}")

TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
"""Last bytes of a table (tensorflow/core/lib/io/format.h), of an index, and of checkpoints before TensorFlow 0.12."""


@dataclass(frozen=True)
class StoredCheckpoint:
    """Checkpoint as its directory shows it; its tensors have not been read.

    Args:
        directory: Directory that holds the checkpoint's files.
        name: Name of the checkpoint, such as ``model-300``.
        record: Commit record; None for a checkpoint of a plain ``tf.compat.v1.train.Saver``.
        problem: Problem found without reading tensors: a file that is missing or has another size, or
            an unreadable record; "" if there is none.
        one_file: Whether the checkpoint is one file without a suffix, the format of TensorFlow before 0.12.

    Example:
        >>> stored = StoredCheckpoint(Path("outputs"), "model-300")
        >>> str(stored.prefix), stored.name_prefix, stored.number
        ('outputs/model-300', 'model', 300)
    """

    directory: Path
    name: str
    record: CommitRecord | None = None
    problem: str = ""
    one_file: bool = False

    @property
    def prefix(self) -> Path:
        """Prefix of the checkpoint's file names, which TensorFlow calls its path."""
        return self.directory / self.name

    @property
    def name_prefix(self) -> str:
        """Part of the name before ``-<number>``."""
        match = NUMBERED.fullmatch(self.name)
        return match["prefix"] if match else self.name

    @property
    def store(self) -> CheckpointStore:
        """Store of the checkpoints with the same directory and name prefix."""
        return CheckpointStore(self.directory, self.name_prefix)

    @property
    def number(self) -> int | None:
        """Number of the checkpoint: completed epochs or the global step; None if it has none."""
        if self.record:
            return self.record.number
        match = NUMBERED.fullmatch(self.name)
        return int(match["number"]) if match else None

    @property
    def own_meta(self) -> Path | None:
        """Path of its own ``.meta``, or None; ``trainer.checkpoints.meta_graph.find_meta`` looks further."""
        file = self.directory / f"{self.name}{META}"
        return file if file.is_file() else None

    @property
    def files(self) -> list[Path]:
        """Paths of its own files that exist."""
        own = re.compile(re.escape(self.name) + r"\.(index|meta|json|data-\d{5}-of-\d{5})")
        one = {self.name} if self.one_file else set()
        return sorted(path for path in self.directory.iterdir() if own.fullmatch(path.name) or path.name in one)

    @property
    def size(self) -> int:
        """Bytes that its removal would free; files shared with others (hard links) do not count."""
        return sum(stat.st_size for path in self.files if (stat := path.stat()).st_nlink == 1)

    @property
    def saved_at(self) -> float:
        """Time of the save, in seconds since 1970."""
        if self.record and self.record.saved_at:
            return datetime.fromisoformat(self.record.saved_at).timestamp()
        return max((path.stat().st_mtime for path in self.files), default=0.0)

    def verify(self) -> None:
        """Compares every byte with the record, if there is one.

        Raises:
            CheckpointError: A file is missing or differs; the message says which and how.
        """
        if self.problem:
            raise CheckpointError(self.problem)
        if self.record:
            self.store.verify(self.record)


def stored_checkpoints(directory: Path) -> tuple[StoredCheckpoint, ...]:
    """Returns the checkpoints of a directory, the oldest first; reads only the records.

    Args:
        directory: Directory of checkpoints; need not exist.
    """
    if not directory.is_dir():
        return ()
    listing = _Listing(directory)
    return tuple(sorted((listing.checkpoint(name) for name in listing.checkpoint_names()), key=_age))


def checkpoint_at(path: Path) -> StoredCheckpoint | None:
    """Returns the checkpoint of a prefix or of one of its files, or None.

    Args:
        path: Prefix such as ``.../model-300``, or a file such as ``.../model-300.index``.
    """
    if not path.parent.is_dir():
        return None
    listing = _Listing(path.parent)
    file = FILE_OF_CHECKPOINT.fullmatch(path.name)
    names = [path.name, *([file["name"]] if file else [])]
    return next((listing.checkpoint(name) for name in names if listing.has_checkpoint(name)), None)


class _Listing:
    """Names of a directory's files, read once and grouped by checkpoint.

    Args:
        directory: Directory of checkpoints; must exist.

    Raises:
        RequestError: The directory cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            self.names = frozenset(path.name for path in directory.iterdir())
        except OSError as error:
            raise RequestError(f"{directory} cannot be read: {error.strerror}") from error
        self.shards: dict[str, list[int]] = {}
        for name in self.names:
            if match := DATA_FILE.fullmatch(name):
                self.shards.setdefault(match["name"], []).append(int(match["shards"]))

    def checkpoint_names(self) -> set[str]:
        """Returns the names of all checkpoints."""
        found = {name.removesuffix(INDEX) for name in self.names if name.endswith(INDEX)}
        found |= {match["name"] for name in self.names if (match := RECORD_FILE.fullmatch(name))}
        return found | {name for name in self.names - found if self._is_one_file(name)}

    def has_checkpoint(self, name: str) -> bool:
        """Returns whether there is a checkpoint with a name."""
        has_record = f"{name}{RECORD}" in self.names and RECORD_FILE.fullmatch(f"{name}{RECORD}") is not None
        return f"{name}{INDEX}" in self.names or has_record or self._is_one_file(name)

    def checkpoint(self, name: str) -> StoredCheckpoint:
        """Returns the checkpoint with a name."""
        found = self._by_files(name)
        return found if found.problem else replace(found, problem=_link_outside(found))

    def _by_files(self, name: str) -> StoredCheckpoint:
        if f"{name}{RECORD}" in self.names:
            return _with_record(self.directory, name)
        if f"{name}{INDEX}" not in self.names and name in self.names:
            return StoredCheckpoint(
                self.directory, name, problem=_problem_of_table(self.directory / name), one_file=True
            )
        counts = self.shards.get(name, [0])
        if len(counts) != counts[0]:
            missing = f"{len(self.shards.get(name, []))} of {counts[0] or 'its'} data files are there"
            return StoredCheckpoint(self.directory, name, None, f"{self.directory / name}: {missing}")
        return StoredCheckpoint(self.directory, name)

    def _is_one_file(self, name: str) -> bool:
        """Returns whether a file is a checkpoint in the format of TensorFlow before 0.12, by its last bytes.

        A file that has lost its last bytes counts as one if there is a ``.meta`` beside it.
        """
        if (
            name not in self.names
            or name == STATE_FILE
            or NOT_ONE_FILE.fullmatch(name)
            or ONE_OF_SHARDS.fullmatch(name)
        ):
            return False
        if f"{name}{INDEX}" in self.names or not (self.directory / name).is_file():
            return False
        return f"{name}{META}" in self.names or not _problem_of_table(self.directory / name)


def _age(checkpoint: StoredCheckpoint) -> tuple[float, float]:
    step = checkpoint.record.global_step if checkpoint.record else checkpoint.number
    return (-1 if step is None else step, checkpoint.saved_at)


def _link_outside(checkpoint: StoredCheckpoint) -> str:
    """Returns why a file of a checkpoint is not its own, or ""."""
    directory = checkpoint.directory.resolve()
    for path in checkpoint.files:
        if path.is_symlink() and not path.resolve().is_relative_to(directory):
            return f"{path} is a link to {path.resolve()}, outside its directory; copy the file itself there (cp -L)"
    return ""


def _problem_of_table(path: Path) -> str:
    """Returns the reason why a file is not a whole table, or ""."""
    try:
        with path.open("rb") as file:
            file.seek(-min(len(TABLE_MAGIC), path.stat().st_size), os.SEEK_END)
            whole = file.read() == TABLE_MAGIC
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    return "" if whole else f"{path} does not end like a checkpoint in the one-file format"


def _with_record(directory: Path, name: str) -> StoredCheckpoint:
    try:
        record = read_record(directory / f"{name}{RECORD}")
    except CheckpointError as error:
        return StoredCheckpoint(directory, name, None, str(error))
    checkpoint = StoredCheckpoint(directory, name, record)
    return replace(checkpoint, problem=_size_problem(checkpoint, record))


def _size_problem(checkpoint: StoredCheckpoint, record: CommitRecord) -> str:
    if record.name != checkpoint.name:
        return f"{checkpoint.prefix}{RECORD} is the record of {record.name}; copy a checkpoint under its own name"
    try:
        checkpoint.store.verify(record, sizes_only=True)
    except CheckpointError as error:
        return str(error)
    return ""
