"""Background work: one piece at a time, in one thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from trainer.timing import told


class BackgroundWork:
    """Thread that runs one piece of work at a time; an error is raised when the owner waits.

    Example:
        >>> done = []
        >>> work = BackgroundWork()
        >>> work.start(lambda: done.append("the first"))
        >>> work.wait()
        >>> work.close()
        >>> done
        ['the first']
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
        self._running: Future[None] | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Starts work once the previous piece has ended; raises the error of the previous piece."""
        self.wait()
        self._running = self._thread.submit(work)

    def wait(self) -> None:
        """Returns when no work is left; raises the error of the work, once."""
        running, self._running = self._running, None
        if running is not None:
            with contextlib.nullcontext() if running.done() else told("finishing a checkpoint in the background"):
                running.result()

    def close(self) -> None:
        """Ends the thread once no work is left."""
        self._thread.shutdown()
        self.wait()
