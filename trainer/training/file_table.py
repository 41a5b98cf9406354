"""Table of the files of a run."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from trainer.files import format_size


def file_table(directory: Path) -> str:
    """Returns a short table of what is in a run directory; the files of a checkpoint are one row."""
    rows: dict[str, int] = {}
    for path in sorted(directory.rglob("*"), key=_natural_order):
        if path.is_file() and path.suffix != ".lock":
            row = _row_of(path.relative_to(directory))
            rows[row] = rows.get(row, 0) + path.stat().st_size
    table = [[row, format_size(size)] for row, size in rows.items()]
    return tabulate(table, tablefmt="plain", colalign=("left", "right"))


def _row_of(path: Path) -> str:
    if path.parts[0] == "checkpoints" and "-" in path.name:
        return str(path.with_name(path.name.split(".")[0] + ".*"))
    if path.parts[:2] == ("export", "saved_model"):
        return str(Path(*path.parts[:3])) + "/"
    return str(path)


def _natural_order(path: Path) -> tuple[object, ...]:
    """Sorts model-90 before model-100."""
    return (str(path.parent), len(path.name.split(".")[0]), path.name)
