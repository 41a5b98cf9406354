"""Table of runs, cut to the width of a terminal so that no row wraps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from trainer.cli.command import age, as_text
from trainer.cli.runs.listing import RunRow, counted, overridden_key
from trainer.cli.runs.selection import ABSENT
from trainer.files import format_size

LEFT = ("run", "status", "overridden")
DROPPED = ("size", "rate", "age")
"""Columns that a narrow terminal leaves out, in this order."""

LEAST = 20
"""Characters of the overrides below which another column is left out."""

MODES = {"min": "lowest", "max": "highest", "last": "last"}


def table_of(
    rows: Sequence[RunRow], root: Path, now: datetime, width: int | None, extra: Mapping[str, Sequence[Any]]
) -> str:
    """Returns the table of runs with a line of what it shows.

    Args:
        rows: Runs in order.
        root: Directory that was asked for; the runs have their paths below it.
        now: Time that ages count from.
        width: Width of the terminal in characters; None for rows of any length.
        extra: Further columns, by header: a value for each run.
    """
    columns: dict[str, list[str]] = {
        "run": [_shown(row.path, root) for row in rows],
        "status": [row.status for row in rows],
        "epoch": [_epochs(row) for row in rows],
        "best": [f"{row.best.name} {row.best.value:.4g}" if row.best else "" for row in rows],
        **{name: ["" if each is ABSENT else as_text(each) for each in values] for name, values in extra.items()},
        "age": ["" if (secs := row.age_secs(now)) is None else age(secs) for row in rows],
        "rate": ["" if row.steps_per_sec is None else f"{row.steps_per_sec:,.0f}/s" for row in rows],
        "size": [format_size(row.size) for row in rows],
    }
    words = rarest_first([row.overrides for row in rows])
    lines = [*(_fitted(columns, words, width) if rows else ()), *_footer(rows, root)]
    return "\n".join(lines if width is None else (cut(line, width) for line in lines))


def rarest_first(overrides: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns the overrides of each run with those first that the fewest runs have: a cut takes away the others.

    Example:
        >>> rarest_first([["epochs=9", "seed=1"], ["epochs=9", "seed=2"]])
        [['seed=1', 'epochs=9'], ['seed=2', 'epochs=9']]
    """
    counts = Counter(word for words in overrides for word in set(words))
    return [sorted(words, key=counts.__getitem__) for words in overrides]


def with_short_keys(overrides: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns the overrides with the last part of each key, but for parts that several keys end with.

    Example:
        >>> with_short_keys([["optimizer.learning_rate=0.1", "~callbacks.freeze"], ["a.seed=1", "b.seed=2"]])
        [['learning_rate=0.1', '~freeze'], ['a.seed=1', 'b.seed=2']]
    """
    keys = {overridden_key(word) for words in overrides for word in words}
    ends = Counter(key.rpartition(".")[2] for key in keys)

    def short(word: str) -> str:
        node, dot, end = overridden_key(word).rpartition(".")
        return word.replace(f"{node}{dot}", "", 1) if ends[end] == 1 else word

    return [list(map(short, words)) for words in overrides]


def _shown(path: Path, root: Path) -> str:
    """Returns the path of a run below the root; of the root itself, and of a run of a sweep, the whole path."""
    return str(path.relative_to(root) if path != root and path.is_relative_to(root) else path)


def _epochs(row: RunRow) -> str:
    if row.epoch is None and row.total_epochs is None:
        return ""
    return f"{row.epoch or 0}/{'?' if row.total_epochs is None else row.total_epochs}"


def _fitted(columns: dict[str, list[str]], words: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Returns the lines of the table; the overrides, and where that is not enough columns, give way to the width."""
    columns["overridden"] = list(map(" ".join, words))
    if width is not None and width < _width_without_last(columns) + _widest("overridden", columns["overridden"]):
        columns["overridden"] = list(map(" ".join, with_short_keys(words)))
        columns["best"] = _without_common_name(columns["best"])
        for name in DROPPED:
            if width - _width_without_last(columns) >= min(LEAST, _widest("overridden", columns["overridden"])):
                break
            del columns[name]
        room = max(width - _width_without_last(columns), len("overridden"))
        columns["overridden"] = [cut(each, room) for each in columns["overridden"]]
    widths = {name: _widest(name, cells) for name, cells in columns.items()}
    rows = [list(columns), ["-" * width for width in widths.values()], *zip(*columns.values(), strict=True)]
    return ["  ".join(map(_padded, row, widths, widths.values())).rstrip() for row in rows]


def _without_common_name(cells: Sequence[str]) -> list[str]:
    """Returns the values of one metric without its name, which the line below the table has too."""
    names = {cell.rpartition(" ")[0] for cell in cells if cell}
    return [cell.rpartition(" ")[2] for cell in cells] if len(names) == 1 else list(cells)


def _padded(cell: str, column: str, width: int) -> str:
    return cell.ljust(width) if column in LEFT else cell.rjust(width)


def _widest(name: str, cells: Sequence[str]) -> int:
    return max(len(name), *map(len, cells))


def _width_without_last(columns: Mapping[str, Sequence[str]]) -> int:
    """Returns the width of all columns but the overrides, with two spaces after each."""
    return sum(_widest(name, cells) + 2 for name, cells in columns.items() if name != "overridden")


def _footer(rows: Sequence[RunRow], root: Path) -> list[str]:
    kinds = dict.fromkeys(
        f"{MODES[row.best.mode]} {row.best.name} in {row.best.source}" for row in rows if row.best is not None
    )
    best = [f"best: {'; '.join(kinds)}"] if kinds else []
    notes = [f"{row.path}: {row.note}" for row in rows if row.note]
    return [*([""] if rows else []), counted(list(rows)) if rows else f"no runs in {root}", *best, *notes]


def cut(text: str, width: int) -> str:
    """Returns a text of at most ``width`` characters, with a mark where something is cut off.

    Example:
        >>> cut("optimizer.learning_rate=0.1", 12)
        'optimizer.l…'
    """
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"
