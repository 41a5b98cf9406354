"""Synchronisation of a file to the disk while a Saver writes it."""

from __future__ import annotations

import os
import threading
from io import FileIO
from pathlib import Path

import xxhash

from trainer.checkpoints.record import FileEntry
from trainer.errors import CheckpointError

EVERY_SECS = 0.01
SYNC_BYTES = 16 * 2**20
"""Bytes between two syncs; each sync may cost a journal entry on the disk."""


class SyncFollower:
    """Thread that syncs a file while a Saver writes it, computes its checksum and frees its pages.

    A Saver only hands its bytes to the system, which keeps them in memory until a sync at the end:
    half a gigabyte of fresh pages for half a gigabyte of variables, and then the training process and
    the disk wait for each other. With a follower, the file never has more than a few megabytes in
    memory, the disk works from the start, and reading the file back reads from the disk.

    Args:
        path: Path of the finished file; a Saver writes it under another suffix first.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "model-1.data-00000-of-00001")
        >>> with SyncFollower(path) as follower:
        ...     _ = path.write_bytes(b"variables")
        ...     follower.finish().size
        9
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._error: OSError | None = None
        self._size = self._synced = 0
        self._block = bytearray(1 << 20)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)

    def __enter__(self) -> SyncFollower:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        if self._file is not None:
            self._file.close()

    def finish(self) -> FileEntry:
        """Syncs the rest of the finished file and returns its size and checksum.

        Raises:
            OSError: The disk failed, now or while the file was followed.
            CheckpointError: The file does not exist.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._path.is_file():
                raise CheckpointError(f"{self._path} was not written")
            file = self._file
            if file is None or not os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                file = self._open(self._path)
            self._read(file)
            os.fsync(file.fileno())
            _free_pages(file)
            return FileEntry(self._size, self._digest.hexdigest())

    def _follow(self) -> None:
        while not self._over.wait(EVERY_SECS) and self._error is None:
            with self._lock:
                try:
                    self._step()
                except FileNotFoundError:
                    # The Saver renamed the file: it is done, or the next step finds it.
                    continue
                except OSError as error:
                    self._error = error

    def _step(self) -> None:
        file = self._file
        if file is None:
            unfinished = f"{self._path.name}.tempstate"
            found = [each for each in self._path.parent.iterdir() if each.name.startswith(unfinished)]
            if not found:
                return
            file = self._open(found[0])
        self._read(file)
        if self._size - self._synced >= SYNC_BYTES:
            _sync(file.fileno())
            self._synced = self._size
        _free_pages(file)

    def _open(self, path: Path) -> FileIO:
        file, before = FileIO(path), self._file
        if before is not None:
            before.close()
        self._file, self._digest = file, xxhash.xxh3_128()
        self._size = self._synced = 0
        return file

    def _read(self, file: FileIO) -> None:
        """Adds new bytes of the file to its checksum and size."""
        while count := file.readinto(self._block):
            self._digest.update(memoryview(self._block)[:count])
            self._size += count


def _sync(descriptor: int) -> None:
    """Syncs the content of a file, without its times if the system can."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def _free_pages(file: FileIO) -> None:
    """Tells the system to drop the file's pages from memory, if the system can be told."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
