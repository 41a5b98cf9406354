"""Lock of a run directory, so that only one process writes in it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import RequestError
from trainer.timing import utc_now

log = logging.getLogger(__name__)

LOOK_SECS = 0.05
"""Seconds in which a lock that a look at it has taken is free again."""


@dataclass(frozen=True)
class LockView:
    """View of a run's lock from outside.

    Args:
        state: ``free`` (no file), ``held`` (a process holds it), ``left`` (a killed process of this host left the
            file) or ``elsewhere`` (the file is of another host, whose locks cannot be seen from here).
        holder: Process that holds or left it, in words; "" where it is free.
    """

    state: str
    holder: str = ""


def look_at(path: Path) -> LockView:
    """Returns the state of a lock, which stays as it is.

    Args:
        path: Path of the lock file; need not exist.

    Raises:
        OSError: The file is there and cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return LockView("free")
    try:
        holder = _holder(descriptor)
        try:
            # Shared, so that two looks at a time do not see each other; a run that starts now waits for LOOK_SECS.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return LockView("held", _words(holder))
        is_here = not holder or holder.get("host") == socket.gethostname()
        return LockView("left" if is_here else "elsewhere", _words(holder))
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Returns whether a process holds, or may hold, the lock of a run; it cannot be seen on another host.

    Args:
        path: Path of the lock file.
    """
    try:
        return look_at(path).state in ("held", "elsewhere")
    except OSError:
        return False


class RunLock:
    """Lock file that the system frees when its process ends, however it ends.

    Its content names the holder, so a file without a lock was left by a killed process. The file of
    another host is refused, since its lock cannot be seen from here.

    Args:
        path: Path of the file; its directory must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> RunLock:
        """Takes the lock.

        Raises:
            RequestError: Another process holds the lock, or may hold it; the message has host and pid.
        """
        try:
            self._descriptor = self._locked()
            self._say_who_holds_it(self._descriptor)
        except OSError as error:
            self._close()
            raise RequestError(
                f"{self._path.parent} cannot be written ({error.strerror}); choose another directory"
            ) from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning(
                "%s cannot be removed (%s); it is not locked, so other runs can start", self._path, error.strerror
            )
        finally:
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _locked(self) -> int:
        """Returns the descriptor of the file under this name, locked."""
        until = time.monotonic() + LOOK_SECS
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    os.close(descriptor)
                    time.sleep(LOOK_SECS / 10)
                    continue
                holder = _holder(descriptor)
                os.close(descriptor)
                raise RequestError(
                    f"{self._path.parent} is in use by {_words(holder)}; stop it, or choose another directory"
                ) from None
            except BaseException:
                os.close(descriptor)
                raise
            # The holder may have removed the file between opening and locking: then try again with a new one.
            if self._is_named(descriptor):
                return descriptor
            os.close(descriptor)

    def _is_named(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _say_who_holds_it(self, descriptor: int) -> None:
        holder = _holder(descriptor)
        if holder and holder.get("host") != socket.gethostname():
            raise RequestError(
                f"{self._path.parent} is in use by {_words(holder)}, or was left so; "
                f"if that process is gone, remove {self._path}"
            )
        if holder:
            log.info("%s: taken over from %s, which is gone", self._path.parent, _words(holder))
        mine = {"host": socket.gethostname(), "pid": os.getpid(), "since": utc_now()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(mine).encode(), 0)


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _words(holder: dict[str, Any]) -> str:
    since = f" since {holder['since']}" if "since" in holder else ""
    return f"process {holder.get('pid', '?')} on {holder.get('host', 'an unknown host')}{since}"
