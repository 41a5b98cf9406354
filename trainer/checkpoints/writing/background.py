"""Work beside training: one piece at a time, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundWork:
    """Runs one piece of work while its owner goes on; errors come out where the owner waits.

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
        """Starts the work, when what was started before has ended; raises what that raised."""
        self.wait()
        self._running = self._thread.submit(work)

    def wait(self) -> None:
        """Returns when no work is left; raises, once, what it raised."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def close(self) -> None:
        """Ends the thread, when no work is left."""
        self._thread.shutdown()
        self.wait()
