"""The terminal of the program, if it has one."""

from __future__ import annotations

import os
import sys


def is_terminal() -> bool:
    """Returns whether a line that changes can be shown on standard error."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
