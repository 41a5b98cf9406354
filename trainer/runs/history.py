"""History of a run: one entry for each process that worked on it, as ``run.json`` keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

MAX_ENTRIES = 100
"""Max number of processes in the history; a run that is restarted without end keeps the newest."""

RUNNING, KILLED = "running", "killed"

Type = TypeVar("Type", str, int)


@dataclass(frozen=True)
class HistoryEntry:
    """Process that worked on a run.

    Args:
        started: Time of its start, UTC, ISO 8601.
        status: ``running``, ``finished``, ``interrupted``, ``failed``, or ``killed`` for one that left no end.
        ended: Time of its end; of a killed one the latest time at which it is known to have run. None until then.
        epoch: Completed epochs at its start.
        global_step: Number of updates at its start.
        host: Name of the machine.
        command: Command line, as it can be pasted into a shell.
        overrides: Overrides of the config, as typed.
        changes: Settings that it changed at its resume, as text.
        config: Name of the file with its composed config.
        error: Message of the error that ended it.

    Example:
        >>> entry = HistoryEntry("2026-11-27T10:00:00+00:00", epoch=3)
        >>> HistoryEntry.from_json(entry.to_json()) == entry
        True
    """

    started: str
    status: str = RUNNING
    ended: str | None = None
    epoch: int = 0
    global_step: int = 0
    host: str | None = None
    command: str | None = None
    overrides: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    config: str | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns JSON data without values that are not known."""
        return {name: value for name, value in asdict(self).items() if value is not None and value != ()}

    @classmethod
    def from_json(cls, value: Any) -> HistoryEntry:
        """Returns the entry of JSON data; a value of another type counts as unknown."""
        given = value if isinstance(value, Mapping) else {}

        def text(name: str) -> str | None:
            return _typed(given.get(name), str)

        return cls(
            started=text("started") or "",
            status=text("status") or "",
            ended=text("ended"),
            epoch=_typed(given.get("epoch"), int) or 0,
            global_step=_typed(given.get("global_step"), int) or 0,
            host=text("host"),
            command=text("command"),
            overrides=_words(given.get("overrides")),
            changes=_words(given.get("changes")),
            config=text("config"),
            error=text("error"),
        )


def _typed(value: Any, kind: type[Type]) -> Type | None:
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def with_start(history: Sequence[HistoryEntry], entry: HistoryEntry, last_seen: str) -> tuple[HistoryEntry, ...]:
    """Returns a history with one more process; those without an end were killed, since the run's lock was free.

    Args:
        history: Processes so far, the oldest first.
        entry: Process that starts now.
        last_seen: Latest time at which the process before is known to have run, UTC, ISO 8601.

    Example:
        >>> killed, now = with_start([HistoryEntry("10:00")], HistoryEntry("12:00"), "11:30")
        >>> killed.status, killed.ended, now.status
        ('killed', '11:30', 'running')
    """
    before = [
        each if each.ended else replace(each, status=KILLED, ended=max(last_seen, each.started)) for each in history
    ]
    return tuple([*before, entry][-MAX_ENTRIES:])


def with_last(history: Sequence[HistoryEntry], **changes: Any) -> tuple[HistoryEntry, ...]:
    """Returns a history with other values of its newest entry; the same where it has none.

    Args:
        history: Processes, the oldest first.
        **changes: Fields of the entry by name.
    """
    return (*history[:-1], replace(history[-1], **changes)) if history else ()
