"""Time stamps, and the timing of steps of the start-up."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from datetime import datetime, timezone

log = logging.getLogger(__name__)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Logs the duration of a step of the start-up; ``-v`` shows it."""
    began = time.perf_counter()
    yield
    log.debug("%8.3f s  %s", time.perf_counter() - began, what)


def utc_now() -> str:
    """Returns the current time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
