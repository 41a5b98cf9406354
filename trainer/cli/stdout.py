"""Standard streams, which may be closed from the start, and whose readers may close them at any time."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""Name in ``sys`` and mode of each stream, by descriptor."""


CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, change colours or turn the direction of writing: a name in a file may hold them."""


def plain(text: str) -> str:
    r"""Returns a text whose control characters, but for tabs and ends of lines, are written out.

    Example:
        >>> plain("loss \x1b[2J")
        'loss \\x1b[2J'
    """
    return CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class PlainFormatter(logging.Formatter):
    """Formatter of log messages without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the message."""
        return plain(super().format(record))


def open_streams() -> None:
    """Opens the null device for each standard stream that is closed, as it may be for a daemon.

    Otherwise the next file that is opened, such as a checkpoint, would get the number of the stream, and the messages
    of a library would be written into it.
    """
    for descriptor, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given out, so this is the descriptor itself.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


def say(text: str) -> None:
    """Writes a line to standard error, if it can be written."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{plain(text)}\n")
        sys.stderr.flush()


def close_output() -> None:
    """Flushes the standard streams; if one cannot be written, further output is discarded."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
