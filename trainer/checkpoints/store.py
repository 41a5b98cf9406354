"""The files of a checkpoint directory: which checkpoints are committed, which are whole."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.checkpoints.record import CommitRecord, FileEntry, read_record
from trainer.errors import CheckpointError
from trainer.files import (
    checksum_of,
    make_directory,
    remove_temporaries,
    sync_directory,
    sync_file,
    temporary_beside,
    write_atomically,
    write_json,
)

DATA, INDEX, META, RECORD = ".data-00000-of-00001", ".index", ".meta", ".json"
STATE_FILE = "checkpoint"


IN_PROGRESS = ".unfinished-"
"""What the name of the note begins with that stands while a checkpoint's files are in the making."""

MAX_SHOWN = 7
"""So many checkpoints are named where none is good."""

DAMAGED, SUPERSEDED = "damaged", "superseded"
"""Where checkpoints go that are not to count and not to be lost either."""


@dataclass(frozen=True)
class SkippedCheckpoint:
    """A checkpoint that was not taken.

    Args:
        name: of the checkpoint.
        reason: which file, and what is wrong with it.
        damaged: false where it is whole and holds only a part of the variables.
    """

    name: str
    reason: str
    damaged: bool = True


class CheckpointStore:
    """Checkpoints of one prefix in one directory; files of others are never touched.

    Args:
        directory: need not exist yet.
        prefix: what the names begin with, before ``-<number>``.
    """

    def __init__(self, directory: Path, prefix: str) -> None:
        self.directory = directory
        self.prefix = prefix
        self._record_name = re.compile(re.escape(prefix) + r"-\d+(\+\d+)?\.json")
        self._known: dict[str, tuple[tuple[int, int, int], CommitRecord]] = {}

    @property
    def meta_file(self) -> Path:
        """The graph, written once, outside rotation."""
        return self.directory / f"{self.prefix}{META}"

    def path(self, name: str) -> Path:
        """Returns what TensorFlow calls the checkpoint's path: a prefix of file names."""
        return self.directory / name

    def file(self, name: str, suffix: str) -> Path:
        """Returns the path of one of the checkpoint's files."""
        return self.directory / f"{name}{suffix}"

    def records(self) -> tuple[list[CommitRecord], list[SkippedCheckpoint]]:
        """Returns the commit records, the oldest first, and the checkpoints whose record is unreadable."""
        records, unreadable = [], []
        if not self.directory.is_dir():
            return [], []
        with os.scandir(self.directory) as entries:
            found = sorted((each for each in entries if self._record_name.fullmatch(each.name)), key=lambda e: e.name)
        for entry in found:
            try:
                records.append(self._record(entry))
            except CheckpointError as error:
                unreadable.append(SkippedCheckpoint(Path(entry.name).stem, str(error)))
        return sorted(records, key=lambda record: record.global_step), unreadable

    def _record(self, entry: os.DirEntry[str]) -> CommitRecord:
        """Reads a record unless its file is the one that was read before: a save looks at all of them."""
        status = entry.stat()
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        known, record = self._known.get(entry.name, (None, None))
        if record is None or known != seen:
            record = read_record(Path(entry.path))
            self._known[entry.name] = (seen, record)
        return record

    def has_step(self, global_step: int) -> bool:
        """Returns whether a committed checkpoint is of this step."""
        return any(record.global_step == global_step for record in self.records()[0])

    def measure(self, name: str, data: FileEntry | None = None) -> dict[str, FileEntry]:
        """Reads the checkpoint's files back and returns their sizes and checksums, synced to disk.

        Args:
            name: of the checkpoint.
            data: of its data, where that was synced and read already.

        Raises:
            CheckpointError: the data or the index is missing.
        """
        entries = {}
        for suffix in (DATA, INDEX, META):
            path = self.file(name, suffix)
            if suffix == DATA and data is not None:
                entries[path.name] = data
            elif path.is_file():
                sync_file(path)
                entries[path.name] = FileEntry(path.stat().st_size, checksum_of(path))
            elif suffix != META:
                raise CheckpointError(f"{path} was not written")
        sync_directory(self.directory)
        return entries

    def verify(self, record: CommitRecord, *, sizes_only: bool = False) -> None:
        """Compares the files with the record.

        Args:
            record: of the checkpoint.
            sizes_only: whether a look at the sizes will do; nothing is read then.

        Raises:
            CheckpointError: a file is missing or differs; the message says which and how.
        """
        for name, entry in record.files.items():
            path = self.directory / name
            if not path.is_file():
                raise CheckpointError(f"{path} is missing")
            if path.stat().st_size != entry.size:
                raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes instead of {entry.size:,}")
            if not sizes_only and checksum_of(path) != entry.xxh3_128:
                raise CheckpointError(f"{path} differs from what was written (XXH3)")

    def commit(self, record: CommitRecord) -> None:
        """Makes the checkpoint count; durable when this returns."""
        write_json(self.file(record.name, RECORD), record.to_json())

    def write_state(self, names: Sequence[str]) -> None:
        """Writes TensorFlow's own list of checkpoints, with paths relative to the directory.

        Format: the text form of ``CheckpointState`` in tensorflow/python/training/checkpoint_state.proto.

        Args:
            names: the oldest first; where there is none, nothing is written.
        """
        if names:
            lines = [f'model_checkpoint_path: "{names[-1]}"']
            lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
            write_atomically(self.directory / STATE_FILE, "\n".join(lines) + "\n")

    def begin(self, name: str) -> None:
        """Notes that the files of a checkpoint are about to be made or removed.

        Without the note nobody could tell the leftovers of a kill from a checkpoint that somebody
        put here; with it they are surely ours.
        """
        if not self.directory.is_dir():
            make_directory(self.directory)
        self._marker(name).touch()

    def end(self, name: str) -> None:
        """Takes the note back."""
        self._marker(name).unlink(missing_ok=True)

    def _marker(self, name: str) -> Path:
        return self.directory / f"{IN_PROGRESS}{name}"

    def remove(self, name: str) -> None:
        """Removes a checkpoint: the record first, so that half of one never counts."""
        self.begin(name)
        self.file(name, RECORD).unlink(missing_ok=True)
        self._remove_files(name)
        self.end(name)

    def _remove_files(self, name: str) -> None:
        own = re.compile(re.escape(name) + r"\.(index|data-\d+-of-\d+|meta)(\.tempstate\d+)?")
        for path in list(self.directory.iterdir()):
            if own.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def clean_up(self) -> None:
        """Removes what killed processes left unfinished; a committed checkpoint is never touched."""
        if not self.directory.is_dir():
            return
        for path in list(self.directory.iterdir()):
            if path.name.startswith(IN_PROGRESS):
                name = path.name.removeprefix(IN_PROGRESS)
                if not self.file(name, RECORD).exists():
                    self._remove_files(name)
                path.unlink(missing_ok=True)
        remove_temporaries(self.directory)

    def set_aside(self, name: str, folder: str) -> None:
        """Moves a checkpoint's files into a folder beside it; the record first, so that it no longer counts."""
        aside = self.directory / folder
        aside.mkdir(exist_ok=True)
        for suffix in (RECORD, INDEX, DATA, META):
            path = self.file(name, suffix)
            if path.exists():
                path.replace(aside / path.name)
        sync_directory(self.directory)

    def link_meta(self, name: str) -> None:
        """Puts the graph beside the checkpoint: a hard link, a copy where the disk has no links."""
        target = self.file(name, META)
        temporary = temporary_beside(target)
        temporary.unlink(missing_ok=True)
        try:
            os.link(self.meta_file, temporary)
        except OSError:
            shutil.copyfile(self.meta_file, temporary)
        temporary.replace(target)


def newest_good(store: CheckpointStore) -> tuple[CommitRecord, list[SkippedCheckpoint]]:
    """Returns the newest checkpoint that holds all a resume needs and verifies.

    Returns:
        The record, and the checkpoints that were passed over: newer ones, and unreadable ones.

    Raises:
        CheckpointError: none is good; the message lists what was tried.
    """
    records, skipped = store.records()
    for record in reversed(records):
        if not record.complete:
            skipped.append(
                SkippedCheckpoint(record.name, f"{record.name} holds only a part of the variables", damaged=False)
            )
            continue
        try:
            store.verify(record)
        except CheckpointError as error:
            skipped.append(SkippedCheckpoint(record.name, str(error)))
        else:
            return record, skipped
    reasons = [each.reason for each in skipped[:MAX_SHOWN]] or ["no commit record"]
    if len(skipped) > MAX_SHOWN:
        reasons.append(f"and {len(skipped) - MAX_SHOWN} older ones")
    lines = "\n  ".join(reasons)
    raise CheckpointError(f"{store.directory} has no checkpoint to resume from:\n  {lines}")
