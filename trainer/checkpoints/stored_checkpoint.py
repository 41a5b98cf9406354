"""A checkpoint as its files show it, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from trainer.checkpoints.record import CommitRecord, read_record
from trainer.checkpoints.store import INDEX, META, RECORD, CheckpointStore
from trainer.errors import CheckpointError

DATA_FILE = re.compile(r"(?P<name>.+)\.data-\d{5}-of-(?P<shards>\d{5})")
RECORD_FILE = re.compile(r"(?P<name>.+-\d+(\+\d+)?)\.json")
NUMBERED = re.compile(r"(?P<prefix>.*)-(?P<number>\d+)(\+\d+)?")


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint as its directory shows it, without a look into its files.

    Args:
        directory: that holds its files.
        name: of the checkpoint, such as ``model-300``.
        record: its commit record; None where a bare ``tf.compat.v1.train.Saver`` wrote it.
        problem: what is wrong with it at a glance: a file is missing or of another size, the
            record is unreadable; "" where nothing is.
    """

    directory: Path
    name: str
    record: CommitRecord | None = None
    problem: str = ""

    @property
    def prefix(self) -> Path:
        """What TensorFlow calls the checkpoint's path: a prefix of file names."""
        return self.directory / self.name

    @property
    def name_prefix(self) -> str:
        """What the name begins with, before ``-<number>``."""
        match = NUMBERED.fullmatch(self.name)
        return match["prefix"] if match else self.name

    @property
    def store(self) -> CheckpointStore:
        """The store of the checkpoints that share its directory and the beginning of its name."""
        return CheckpointStore(self.directory, self.name_prefix)

    @property
    def number(self) -> int | None:
        """Completed epochs or the step, as the checkpoint is numbered; None where it has no number."""
        if self.record:
            return self.record.number
        match = NUMBERED.fullmatch(self.name)
        return int(match["number"]) if match else None

    @property
    def meta(self) -> Path | None:
        """The graph beside it, if there is one."""
        file = self.directory / f"{self.name}{META}"
        return file if file.is_file() else None

    @property
    def files(self) -> list[Path]:
        """Its files that are there."""
        own = re.compile(re.escape(self.name) + r"\.(index|meta|json|data-\d{5}-of-\d{5})")
        return sorted(path for path in self.directory.iterdir() if own.fullmatch(path.name))

    @property
    def size(self) -> int:
        """Bytes that would be free without it: what it shares with others (hard links) is left out."""
        return sum(stat.st_size for path in self.files if (stat := path.stat()).st_nlink == 1)

    @property
    def saved_at(self) -> float:
        """When it was saved, in seconds since 1970."""
        if self.record and self.record.saved_at:
            return datetime.fromisoformat(self.record.saved_at).timestamp()
        return max((path.stat().st_mtime for path in self.files), default=0.0)

    def verify(self) -> None:
        """Compares every byte with the record, where there is one.

        Raises:
            CheckpointError: a file is missing or differs; the message says which and how.
        """
        if self.problem:
            raise CheckpointError(self.problem)
        if self.record:
            self.store.verify(self.record)


def stored_checkpoints(directory: Path) -> tuple[StoredCheckpoint, ...]:
    """Returns the checkpoints of a directory, the oldest first; only the records are read."""
    names = [path.name for path in directory.iterdir()]
    found = {name.removesuffix(INDEX) for name in names if name.endswith(INDEX)}
    found |= {match["name"] for name in names if (match := RECORD_FILE.fullmatch(name))}
    shards: dict[str, list[int]] = {}
    for name in names:
        if match := DATA_FILE.fullmatch(name):
            shards.setdefault(match["name"], []).append(int(match["shards"]))
    return tuple(sorted((_stored_checkpoint(directory, name, shards) for name in found), key=_age))


def _age(checkpoint: StoredCheckpoint) -> tuple[float, float]:
    step = checkpoint.record.global_step if checkpoint.record else checkpoint.number
    return (-1 if step is None else step, checkpoint.saved_at)


def _stored_checkpoint(directory: Path, name: str, shards: Mapping[str, list[int]]) -> StoredCheckpoint:
    record_file = directory / f"{name}{RECORD}"
    if record_file.is_file():
        try:
            record = read_record(record_file)
        except CheckpointError as error:
            return StoredCheckpoint(directory, name, None, str(error))
        checkpoint = StoredCheckpoint(directory, name, record)
        return replace(checkpoint, problem=_size_problem(checkpoint, record))
    counts = shards.get(name, [0])
    if len(counts) != counts[0]:
        missing = f"{directory / name}: {len(shards.get(name, []))} of {counts[0] or 'its'} data files are there"
        return StoredCheckpoint(directory, name, None, missing)
    return StoredCheckpoint(directory, name)


def _size_problem(checkpoint: StoredCheckpoint, record: CommitRecord) -> str:
    if record.name != checkpoint.name:
        return f"{checkpoint.prefix}{RECORD} is the record of {record.name}; copy a checkpoint under its own name"
    try:
        checkpoint.store.verify(record, sizes_only=True)
    except CheckpointError as error:
        return str(error)
    return ""
