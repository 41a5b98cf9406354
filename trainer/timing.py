"""Time stamps, the timing of steps of the start-up, and lines that tell of work that lasts."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

log = logging.getLogger(__name__)
lasting = logging.getLogger(f"{__name__}.lasting")
"""Logger of the work that goes on, each second; off unless a handler for a terminal turns it on."""

LASTING = 5
"""Level of its records; an empty one says that the work has ended."""

STILL = "still %s (%.0f s)"
"""Line about work that goes on, where no terminal shows it."""

FIRST_TOLD_SECS = 5.0
"""Seconds of work without a word, after which a line tells what goes on."""

MAX_SECS_BETWEEN = 60.0
"""Maximum number of seconds between two such lines."""


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Logs the duration of a step of the start-up; ``-v`` shows it. A step that lasts is told meanwhile.

    Args:
        what: What is done, such as ``reading the data``.
    """
    began = time.perf_counter()
    with told(what):
        yield
    log.debug("%8.3f s  %s", time.perf_counter() - began, what)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Logs what is done, from another thread, where it takes more than five seconds; on a terminal, more than one.

    Args:
        what: What is done, such as ``reading the data``.
    """
    ended = threading.Event()
    telling = threading.Thread(target=tell_until, args=(what, ended.wait), daemon=True)
    telling.start()
    try:
        yield
    finally:
        ended.set()
        # Its last word takes the line away, before another one is written.
        telling.join()


def tell_until(what: str, ended_within: Callable[[float], bool], clock: Callable[[], float] = time.monotonic) -> None:
    """Logs what is done, at growing intervals, until it has ended; each second where a terminal shows it.

    Args:
        what: What is done.
        ended_within: Function that waits for the end for some seconds, and returns whether it came.
        clock: Function that returns monotonic seconds.
    """
    began, secs, line_at = clock(), 0.0, FIRST_TOLD_SECS
    is_shown = lasting.isEnabledFor(LASTING)
    while not ended_within((secs := min(secs + 1, line_at) if is_shown else line_at) - (clock() - began)):
        lasting.log(LASTING, "%s (%.0f s)", what, secs)
        if secs >= line_at:
            log.info(STILL, what, secs)
            line_at = next_told(line_at)
    if is_shown:
        lasting.log(LASTING, "")


def next_told(secs: float) -> float:
    """Returns the seconds after the beginning at which work is told again that was told after ``secs``.

    Example:
        >>> [next_told(secs) for secs in (5.0, 10.0, 80.0)]
        [10.0, 20.0, 140.0]
    """
    return min(2 * secs, secs + MAX_SECS_BETWEEN)


def utc_now() -> str:
    """Returns the current time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
