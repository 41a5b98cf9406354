"""Files that are taken to the disk while another writes them."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from trainer.checkpoints.writing.sync_follower import SYNC_BYTES, SyncFollower
from trainer.errors import CheckpointError
from trainer.files import checksum_of

DATA = "model-1.data-00000-of-00001"


def wait_for(condition) -> None:
    """Returns when something is so, which another thread brings about."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "nothing happened in ten seconds"
        time.sleep(0.005)


def is_open(path: Path) -> bool:
    """Returns whether this process has a file open."""
    return any(each.resolve() == path.resolve() for each in Path("/proc/self/fd").iterdir())


@pytest.fixture
def synced(monkeypatch):
    """The sizes that files had when they were synced in the middle."""
    sizes: list[int] = []
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    return sizes


def test_a_file_is_synced_while_it_grows_and_its_checksum_is_of_the_whole(tmp_path, synced) -> None:
    unfinished = tmp_path / f"{DATA}.tempstate123"
    part = np.random.default_rng(0).bytes(SYNC_BYTES)
    with SyncFollower(tmp_path / DATA) as follower:
        with unfinished.open("wb") as file:
            for parts in (1, 2):
                file.write(part)
                file.flush()
                wait_for(lambda parts=parts: len(synced) == parts)
            file.write(b"the rest")
        unfinished.rename(tmp_path / DATA)
        entry = follower.finish()
    assert synced == [SYNC_BYTES, 2 * SYNC_BYTES]
    assert (entry.size, entry.xxh3_128) == (2 * SYNC_BYTES + 8, checksum_of(tmp_path / DATA))


@pytest.mark.parametrize("leftover", [False, True])
def test_a_file_that_was_there_before_the_first_look(tmp_path, leftover) -> None:
    """A leftover under the unfinished name is not taken for the file."""
    if leftover:
        (tmp_path / f"{DATA}.tempstate1").write_bytes(b"of a killed process")
    with SyncFollower(tmp_path / DATA) as follower:
        if leftover:
            wait_for(lambda: is_open(tmp_path / f"{DATA}.tempstate1"))
        (tmp_path / DATA).write_bytes(b"variables")
        entry = follower.finish()
    assert (entry.size, entry.xxh3_128) == (9, checksum_of(tmp_path / DATA))


def test_what_the_disk_says_in_the_middle_is_said_at_the_end(tmp_path, monkeypatch) -> None:
    failed = threading.Event()

    def fails(_descriptor: int) -> None:
        failed.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fails)
    unfinished = tmp_path / f"{DATA}.tempstate123"
    with SyncFollower(tmp_path / DATA) as follower:
        unfinished.write_bytes(bytes(SYNC_BYTES))
        assert failed.wait(10)
        unfinished.rename(tmp_path / DATA)
        with pytest.raises(OSError, match="Input/output error"):
            follower.finish()


def test_a_file_that_nobody_wrote(tmp_path) -> None:
    with SyncFollower(tmp_path / DATA) as follower, pytest.raises(CheckpointError, match="was not written"):
        follower.finish()
