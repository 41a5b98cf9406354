"""Finding the graph of a checkpoint."""

from __future__ import annotations

from pathlib import Path

from trainer.checkpoints.store import META
from trainer.checkpoints.stored import NUMBERED
from trainer.errors import RequestError


def find_meta(prefix: Path) -> Path:
    """Returns the ``.meta`` of a checkpoint: its own, else one of the same series.

    Raises:
        RequestError: there is none; the message says what was looked for and what was found.
    """
    series = _series_of(prefix.name)
    own = [prefix.with_name(f"{name}{META}") for name in (prefix.name, series)]
    others = sorted(prefix.parent.glob(f"*{META}"), key=lambda path: path.stat().st_mtime_ns)
    same = [path for path in others if _series_of(path.stem) == series]
    found = next((path for path in [*own, *reversed(same)] if path.is_file()), None)
    if found is None:
        there = ", ".join(path.name for path in others) or "none"
        raise RequestError(
            f"{prefix} has no graph: looked for {own[0].name} and {own[1].name}; .meta files there: {there}; name one "
            "with meta=, or open an export"
        )
    return found


def _series_of(name: str) -> str:
    match = NUMBERED.fullmatch(name)
    return match["prefix"] if match else name
