"""``graph-trainer runs``, ``scripts/runs``: lists runs and their states."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trainer.checks import check_choice, check_number
from trainer.cli.command import Answer, SingleCommand, path_argument
from trainer.cli.runs.listing import STATUSES, RunList, RunRow
from trainer.cli.runs.selection import ABSENT, COLUMNS, Lookup, ordered, selected
from trainer.cli.runs.table import cut, table_of
from trainer.cli.stdout import plain
from trainer.errors import RequestError

DESCRIPTION = """Lists the runs below a directory: status, epoch, best metric, age, rate, size, overrides.

statuses  running, finished, interrupted (by a signal, the state is saved), failed, killed (its process is gone
          without a word), elsewhere (its lock is of another host), unknown
best      best value of the metric that the run's saver monitors, else of the loss"""

SEVERAL: dict[str, Any] = {"action": "append", "default": []}
"""Settings of a flag that may be given several times."""

REDRAWN = "\x1b[H\x1b[J"
"""Control codes that put the cursor at the top of a terminal and clear it."""


def main(arguments: Sequence[str] | None = None, prog: str = "scripts/runs") -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: Arguments after the name of the program; None for those of this process.
        prog: Name of the program, for usage lines.
    """
    command = SingleCommand(prog, DESCRIPTION, _runs)
    add = command.parser.add_argument
    add("root", nargs="?", type=path_argument, default=Path("outputs"), metavar="ROOT", help="default: outputs")
    add("--status", **SEVERAL, metavar="STATUS", help="only runs of this status; may be given several times")
    add("--name", **SEVERAL, metavar="NAME", help="only runs of this name or pattern, such as 'digits_*'")
    example = "optimizer.learning_rate=0.1 or 'val_accuracy>0.9'"
    add("--where", **SEVERAL, metavar="KEY=VALUE", help=f"only runs where this holds, such as {example}")
    add("--sort", default="age", metavar="KEY", help=f"{', '.join(COLUMNS)}, a metric or a key (default: age)")
    add("--reverse", action="store_true", help="turn the order round")
    add("--watch", action="store_true", help="show the table again and again, until Ctrl-C")
    add("--every", type=float, default=2.0, metavar="SECS", help="seconds between two tables (default: 2)")
    return command.main(arguments)


def _runs(chosen: argparse.Namespace) -> Answer:
    for status in chosen.status:
        check_choice("--status", status, STATUSES)
    if not chosen.root.is_dir():
        raise RequestError(f"there is no directory {chosen.root}; name the root of your runs (run.root)")
    listing = RunList(chosen.root)
    if not chosen.watch:
        return _answer(chosen, listing, _width())
    check_number("--every", chosen.every, above=0)
    if chosen.json:
        raise RequestError("--watch shows a table; leave out --json")
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        while True:
            _draw(_answer(chosen, listing, _width()).text)
            time.sleep(chosen.every)
    return Answer(None, "")


def _answer(chosen: argparse.Namespace, listing: RunList, width: int | None) -> Answer:
    now = datetime.now(timezone.utc)
    lookup = Lookup(now)
    rows = selected(listing.rows(), lookup, statuses=chosen.status, names=chosen.name, where=chosen.where)
    rows = ordered(rows, lookup, chosen.sort, reverse=chosen.reverse)
    extra = {}
    if chosen.sort not in COLUMNS:
        extra[chosen.sort] = [lookup.value(row, chosen.sort) for row in rows]
    data = [_data(row, now, {key: values[i] for key, values in extra.items()}) for i, row in enumerate(rows)]
    return Answer(data, table_of(rows, chosen.root, now, width, extra))


def _data(row: RunRow, now: datetime, extra: dict[str, Any]) -> dict[str, Any]:
    shown = {key: None if value is ABSENT else value for key, value in extra.items()}
    return {**asdict(row), "age_secs": row.age_secs(now), **shown}


def _width() -> int | None:
    """Returns the width of the terminal; None where the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _draw(text: str) -> None:
    """Writes a table over the one before on a terminal, or after it elsewhere."""
    lines = plain(text).splitlines()
    if sys.stdout.isatty():
        size = shutil.get_terminal_size()
        if len(lines) >= size.lines:
            left_out = len(lines) - size.lines + 2
            lines = [*lines[: size.lines - 2], cut(f"and {left_out} more lines", size.columns)]
        sys.stdout.write(f"{REDRAWN}{chr(10).join(lines)}\n")
    else:
        sys.stdout.write("\n".join([*lines, "", ""]))
    sys.stdout.flush()
