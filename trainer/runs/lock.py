"""One writer for each run directory."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

from trainer.errors import RequestError

log = logging.getLogger(__name__)


class RunLock:
    """A lock file that the system frees when its process ends, however it ends.

    Its content says who holds it; so a file that nobody locks is one that a killed process left.
    A file that another host left cannot be judged from here, and is refused.

    Args:
        path: of the file; the directory must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> RunLock:
        """Takes the lock.

        Raises:
            RequestError: another process holds it, or may hold it; the message has host and pid.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RequestError(f"{self._path.parent} cannot be written ({error.strerror}); choose another") from error
        holder = _holder(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise RequestError(
                f"{self._path.parent} is in use by {_words(holder)}; stop it, or choose another"
            ) from None
        if holder and holder.get("host") != socket.gethostname():
            os.close(descriptor)
            raise RequestError(
                f"{self._path.parent} is in use by {_words(holder)}, or was left so; "
                f"if that process is gone, remove {self._path}"
            )
        if holder:
            log.info("%s: taken over from %s, which is gone", self._path.parent, _words(holder))
        mine = {"host": socket.gethostname(), "pid": os.getpid()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(mine).encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _words(holder: dict[str, Any]) -> str:
    return f"process {holder.get('pid', '?')} on {holder.get('host', 'an unknown host')}"
