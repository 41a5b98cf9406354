"""Standard output, whose reader may close it at any time."""

from __future__ import annotations

import os
import sys


def close_output() -> None:
    """Flushes standard output; if its reader has closed it, further output is discarded."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
