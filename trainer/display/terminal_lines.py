"""Log lines on a terminal, above the bar of the progress, and a line about work that lasts, gone when it has ended."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from tqdm import tqdm

from trainer.timing import LASTING, STILL, lasting


class TerminalHandler(logging.StreamHandler[TextIO]):
    """Handler that writes lines to standard output, above all bars, and shows at the bottom what lasts.

    Args:
        formatter: Formatter of the lines.

    Example:
        >>> handler = TerminalHandler(logging.Formatter("%(message)s"))
        >>> handler.stream is sys.stdout
        True
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__(sys.stdout)
        self.setFormatter(formatter)
        self._line: tqdm[Any] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, or changes the one about work that lasts."""
        if record.levelno == LASTING:
            self._show(record.getMessage())
        elif not (record.msg == STILL and self.stream.isatty()):
            with tqdm.external_write_mode(file=self.stream):
                super().emit(record)

    def _show(self, text: str) -> None:
        if not text:
            if self._line is not None:
                self._line.close()
                self._line = None
            return
        if self._line is None:
            # Standard error is kept back while TensorFlow is imported.
            file = self.stream if self.stream.isatty() else sys.stderr
            self._line = tqdm(bar_format="{desc}", leave=False, file=file, dynamic_ncols=True)
        columns = self._line.format_dict["ncols"] or 80
        self._line.set_description_str(text[: columns - 1])


def terminal_handler(formatter: logging.Formatter) -> TerminalHandler:
    """Returns a handler for a terminal, and has work that lasts told to it each second."""
    lasting.setLevel(LASTING)
    return TerminalHandler(formatter)
