"""SIGINT and SIGTERM as a request that is noticed between calls into the graph."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

from trainer.errors import Interrupted

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Catches the first signal and lets the second end the process at once; use it in a ``with`` block.

    Handlers that were there before are put back at the end. Outside the main thread, where Python
    allows no handlers, nothing is caught.

    Example:
        >>> with Signals() as signals:
        ...     signals.check()
    """

    def __init__(self) -> None:
        self._caught: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._catch) for number in CAUGHT}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises Interrupted if a signal has arrived."""
        if self._caught is not None:
            raise Interrupted(self._caught, signal.Signals(self._caught).name)

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if self._caught is not None:
            os._exit(128 + number)
        self._caught = number
        if os.getpid() != 1:
            # The system's own action needs no Python, so it ends even a long save; for process 1 the
            # system ignores signals without a handler, so there Python has to do it.
            for each in CAUGHT:
                signal.signal(each, signal.SIG_DFL)
