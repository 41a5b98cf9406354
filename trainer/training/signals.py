"""Signals as requests, noticed between calls into the graph."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from trainer.errors import Interrupted


class StopNow(BaseException):
    """Stop in the middle of work that may be cut; no ``except Exception`` of others keeps it."""


STOPPING = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Handlers of SIGINT and SIGTERM, which ask for a stop, and SIGUSR1, for a save; use it in a ``with`` block.

    The second SIGINT or SIGTERM ends the process at once. The previous handlers are restored at the
    end. Outside the main thread, where Python allows no handlers, nothing is caught.

    Args:
        inside: Whether the run is a part of a program that goes on after it, such as a notebook: the previous
            handlers then get the second signal.

    Example:
        >>> with Signals() as signals:
        ...     signals.check()
        ...     signals.take_save_request()
        False
    """

    def __init__(self, *, inside: bool = False) -> None:
        self._inside = inside
        self._caught: int | None = None
        self._save_requested = False
        self._at_once = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._stop) for number in STOPPING}
            self._previous[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, self._save)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises Interrupted if a signal has asked for a stop."""
        if self._caught is not None:
            raise Interrupted(self._caught, signal.Signals(self._caught).name)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Raises Interrupted anywhere in the block when a signal asks for a stop; for work that may be cut."""
        self.check()
        before = self._at_once
        try:
            self._at_once = True
            try:
                yield
            finally:
                self._at_once = before
        except StopNow:
            self.check()
            raise

    def take_save_request(self) -> bool:
        """Returns whether a signal has asked for a save since the last call."""
        requested, self._save_requested = self._save_requested, False
        return requested

    def _save(self, _number: int, _frame: FrameType | None) -> None:
        self._save_requested = True

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self._caught is not None:
            os._exit(128 + number)
        self._caught = number
        if self._inside:
            for each in STOPPING:
                signal.signal(each, self._previous[each])
        elif os.getpid() != 1:
            # The system's own action needs no Python, so it ends even a long save. For process 1 the
            # system ignores signals without a handler, so the handler of Python stays.
            for each in STOPPING:
                signal.signal(each, signal.SIG_DFL)
        if self._at_once:
            raise StopNow
