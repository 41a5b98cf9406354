"""Store of the checkpoint files in a directory: markers, commits, verification, removal."""

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
"""Name of TensorFlow's own list of checkpoints."""

IN_PROGRESS = ".unfinished-"
"""Prefix of the marker file that exists while a checkpoint is being written or removed."""

MAX_SHOWN = 7
"""Max number of checkpoints listed in the message that none is good."""

DAMAGED, SUPERSEDED = "damaged", "superseded"
"""Folders for checkpoints that no longer count but are not removed."""


@dataclass(frozen=True)
class SkippedCheckpoint:
    """Checkpoint that cannot be used.

    Args:
        name: Name of the checkpoint.
        reason: Path of a file and its problem.
        damaged: Whether a file is damaged; False for an undamaged checkpoint of only a part of the variables.
    """

    name: str
    reason: str
    damaged: bool = True


class CheckpointStore:
    """Checkpoints of one prefix in one directory; no other file is touched.

    Args:
        directory: Directory of the files; need not exist yet.
        prefix: Part of the checkpoints' names before ``-<number>``.
    """

    def __init__(self, directory: Path, prefix: str) -> None:
        self.directory = directory
        self.prefix = prefix
        self._record_name = re.compile(re.escape(prefix) + r"-\d+(\+\d+)?\.json")
        self._known: dict[str, tuple[tuple[int, int, int], CommitRecord]] = {}

    @property
    def meta_file(self) -> Path:
        """Path of the graph, which is written once, outside rotation."""
        return self.directory / f"{self.prefix}{META}"

    def path(self, name: str) -> Path:
        """Returns the prefix of a checkpoint's file names, which TensorFlow calls its path."""
        return self.directory / name

    def file(self, name: str, suffix: str) -> Path:
        """Returns the path of one of the checkpoint's files."""
        return self.directory / f"{name}{suffix}"

    def records(self) -> tuple[list[CommitRecord], list[SkippedCheckpoint]]:
        """Returns the commit records, the oldest first, and the checkpoints with an unreadable record."""
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
        """Returns a record; reads only files that have changed, since each save needs all records."""
        status = entry.stat()
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        known, record = self._known.get(entry.name, (None, None))
        if record is None or known != seen:
            record = read_record(Path(entry.path))
            if record.name != Path(entry.name).stem:
                raise CheckpointError(
                    f"{entry.path} is the record of {record.name}; copy a checkpoint under its own name"
                )
            self._known[entry.name] = (seen, record)
        return record

    def has_step(self, global_step: int) -> bool:
        """Returns whether there is a committed checkpoint of a step."""
        return any(record.global_step == global_step for record in self.records()[0])

    def measure(self, name: str, data: FileEntry | None = None) -> dict[str, FileEntry]:
        """Syncs the checkpoint's files to disk, reads them back and returns their sizes and checksums.

        Args:
            name: Name of the checkpoint.
            data: Size and checksum of the data file if it was synced and read already, else None.

        Raises:
            CheckpointError: The data file or the index is missing.
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
            record: Commit record of the checkpoint.
            sizes_only: Whether to compare only the sizes, without reading any file.

        Raises:
            CheckpointError: A file is missing or differs; the message says which and how.
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
        """Writes the record, which makes the checkpoint count; durable on return."""
        write_json(self.file(record.name, RECORD), record.to_json())

    def write_state(self, names: Sequence[str]) -> None:
        """Writes TensorFlow's state file, the list of checkpoints by paths relative to the directory.

        Format: the text form of ``CheckpointState`` in tensorflow/python/training/checkpoint_state.proto.

        Args:
            names: Names of the checkpoints, the oldest first; if empty, nothing is written.
        """
        if names:
            lines = [f'model_checkpoint_path: "{names[-1]}"']
            lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
            write_atomically(self.directory / STATE_FILE, "\n".join(lines) + "\n")

    def begin(self, name: str) -> None:
        """Writes the in-progress marker of a checkpoint, before its files are written or removed.

        The marker distinguishes leftovers of a killed process from an external checkpoint, which is never removed.
        """
        if not self.directory.is_dir():
            make_directory(self.directory)
        self._marker(name).touch()

    def end(self, name: str) -> None:
        """Removes the in-progress marker."""
        self._marker(name).unlink(missing_ok=True)

    def _marker(self, name: str) -> Path:
        return self.directory / f"{IN_PROGRESS}{name}"

    def remove(self, name: str) -> None:
        """Removes a checkpoint: the record first, so that an incomplete one never counts."""
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
        """Removes the unfinished files of killed processes; never touches a committed checkpoint."""
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
        """Moves a checkpoint's files into a folder beside it: the record first, so that it no longer counts."""
        aside = self.directory / folder
        aside.mkdir(exist_ok=True)
        for suffix in (RECORD, INDEX, DATA, META):
            path = self.file(name, suffix)
            if path.exists():
                path.replace(aside / path.name)
        sync_directory(self.directory)

    def link_meta(self, name: str) -> None:
        """Puts the graph beside the checkpoint: a hard link, or a copy on a disk without links."""
        target = self.file(name, META)
        temporary = temporary_beside(target)
        temporary.unlink(missing_ok=True)
        try:
            os.link(self.meta_file, temporary)
        except OSError:
            shutil.copyfile(self.meta_file, temporary)
        temporary.replace(target)


def newest_good(store: CheckpointStore) -> tuple[CommitRecord, list[SkippedCheckpoint]]:
    """Returns the newest checkpoint that verifies and is complete, so that a resume can use it.

    Returns:
        Record of the checkpoint, and the checkpoints that were skipped: newer ones and unreadable ones.

    Raises:
        CheckpointError: No checkpoint is good; the message lists what was tried.
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
