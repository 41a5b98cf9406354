"""Lines, a bar and work that lasts on one terminal, as its own emulator would show them."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable, Iterator

from tqdm import tqdm

from trainer.display.terminal_lines import terminal_handler
from trainer.timing import LASTING, STILL, lasting


def rows_of(text: str) -> list[str]:
    """Returns the rows that a terminal shows after a text with carriage returns, and moves up."""
    rows, row, column = [""], 0, 0
    text = text.replace("\x1b[A", "\x1a")
    for each in text:
        if each == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif each == "\r":
            column = 0
        elif each == "\x1a":
            row -= 1
        else:
            rows[row] = rows[row].ljust(column)[:column] + each + rows[row][column + 1 :]
            column += 1
    return [each.rstrip() for each in rows if each.rstrip()]


@contextlib.contextmanager
def terminal_of_its_own(monkeypatch) -> Iterator[Callable[[], list[str]]]:
    """Makes a terminal the standard output and error; yields a function that reads its rows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb", buffering=0) as seen:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        level = lasting.level
        text = ""

        def read() -> list[str]:
            nonlocal text
            terminal.write("\x00")  # so that there is something to read
            terminal.flush()
            while not text.endswith("\x00"):
                text += seen.read(9999).decode()
            text = text[:-1]
            return rows_of(text)

        yield read
        lasting.setLevel(level)


def test_lines_stand_above_the_bar_and_lasting_work_below_it_until_it_ends(monkeypatch) -> None:
    with terminal_of_its_own(monkeypatch) as screen:
        lines_and_a_bar(screen)


def lines_and_a_bar(screen: Callable[[], list[str]]) -> None:
    handler = terminal_handler(logging.Formatter("%(message)s"))
    assert lasting.isEnabledFor(LASTING)

    def log(level: int, text: str, *values: object) -> None:
        handler.handle(logging.LogRecord("x", level, "", 0, text, values, None))

    log(logging.INFO, "reads 3 files")
    log(LASTING, "building the graph (1 s)")
    assert screen() == ["reads 3 files", "building the graph (1 s)"]
    log(logging.WARNING, "an op is slow")
    assert screen() == ["reads 3 files", "an op is slow", "building the graph (1 s)"]
    log(LASTING, "")
    log(LASTING, "")
    with tqdm(total=9, bar_format="epoch 1 {bar:3}", ascii=True, file=sys.stderr) as bar:
        log(logging.INFO, "rolled back")
        log(LASTING, "evaluating (1 s)")
        log(logging.INFO, STILL, "evaluating", 5)
        bar.update(9)
        bar.refresh()
        assert screen() == ["reads 3 files", "an op is slow", "rolled back", "epoch 1 ###", "evaluating (1 s)"]
        log(LASTING, "")
    assert screen() == ["reads 3 files", "an op is slow", "rolled back", "epoch 1 ###"]
