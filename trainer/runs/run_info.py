"""Content of ``run.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_type_hints

from trainer.runs.history import HistoryEntry
from trainer.state import CheckpointSettings, Rollback


@dataclass(frozen=True)
class RollbackEntry:
    """Rollback that has happened in a run.

    Args:
        step: Update, counted from 1, whose batch is left out since then.
        rate_factor: Factor by which the learning rate was multiplied.
        to: Name of the checkpoint from which training went on.
        reason: Message of the error that led to it.
    """

    step: int
    rate_factor: float
    to: str
    reason: str

    @property
    def rollback(self) -> Rollback:
        """Request that led to the rollback."""
        return Rollback(self.step, self.rate_factor)


@dataclass(frozen=True)
class RunInfo:
    """Content of ``run.json``: status and outcome of a run, for the user and for programs.

    A value is None, or empty, until it is known. A value of another type in the file counts as
    unknown; keys of later versions are kept.

    Args:
        status: ``running``, ``finished``, ``interrupted`` or ``failed``; "" if not known.
        name: Name of the run.
        started: Time of the first start, UTC, ISO 8601.
        ended: Time of the last end, UTC, ISO 8601.
        total_epochs: Epoch at which the run is complete.
        epoch: Completed epochs of the newest checkpoint; of the run, once it has ended.
        global_step: Number of updates of the newest checkpoint; of the run, once it has ended.
        newest_checkpoint: Path of the newest checkpoint's files inside the run directory.
        best_checkpoint: Path of the best checkpoint's files inside the run directory.
        exports: Paths of the exports inside the run directory.
        metrics: Metrics of the last epoch; None for what is not finite.
        steps_per_sec: Steps per second of the last process.
        secs: Seconds of the last process by kind of work.
        stop_reason: Reason of an early stop.
        stopped_by: Name of the callback that asked for it.
        error: Message of the error that ended the last process.
        command: Command line, as it can be pasted into a shell.
        config_digest: SHA-256 of the settings that change what is computed.
        changes: Settings that the last resume changed, as text.
        seed: Seed of initial values, order of the data and random ops.
        compile: Mode of the steps, ``off`` or ``xla``.
        compile_reason: Reason for the mode of the steps.
        versions: Versions of Python and of the packages that the bits depend on.
        savers: Settings of the callbacks that save checkpoints, in running order.
        trunks: Frozen graphs inside the model.
        tables: Look-up tables of the model that no checkpoint holds.
        rollbacks: Rollbacks so far, the oldest first.
        history: Processes that worked on the run, the oldest first; the newest hundred.
        warm_start: Variables that a warm start loaded.
        resumed_from: Variables that were loaded from an external checkpoint.
        others: Keys that this version does not know.

    Example:
        >>> RunInfo.from_json({"status": "finished", "epoch": "three", "colour": "red"}).to_json()
        {'status': 'finished', 'colour': 'red'}
    """

    status: str = ""
    name: str = ""
    started: str | None = None
    total_epochs: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    config_digest: str | None = None
    changes: tuple[str, ...] = ()
    seed: int | None = None
    compile: str | None = None
    compile_reason: str | None = None
    savers: tuple[CheckpointSettings, ...] = ()
    trunks: tuple[Mapping[str, Any], ...] = ()
    tables: tuple[Mapping[str, Any], ...] = ()
    warm_start: Mapping[str, Any] | None = None
    resumed_from: Mapping[str, Any] | None = None
    rollbacks: tuple[RollbackEntry, ...] = ()
    newest_checkpoint: str | None = None
    best_checkpoint: str | None = None
    ended: str | None = None
    epoch: int | None = None
    global_step: int | None = None
    metrics: Mapping[str, float | None] | None = None
    steps_per_sec: float | int | None = None
    secs: Mapping[str, float] | None = None
    stop_reason: str | None = None
    stopped_by: str | None = None
    exports: tuple[str, ...] = ()
    error: str | None = None
    history: tuple[HistoryEntry, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """True if the run finished."""
        return self.status == "finished"

    def to_json(self) -> dict[str, Any]:
        """Returns JSON data without values that are not known."""
        value = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "others"}
        value["savers"] = [{**asdict(saver), "pinned": sorted(saver.pinned)} for saver in self.savers]
        value["rollbacks"] = [asdict(entry) for entry in self.rollbacks]
        value["history"] = [entry.to_json() for entry in self.history]
        known = {name: each for name, each in value.items() if not _is_unknown(each)}
        return {**known, **self.others}

    @classmethod
    def from_json(cls, value: Any) -> RunInfo:
        """Returns the content of JSON data; an empty one if it is not a mapping."""
        given = value if isinstance(value, Mapping) else {}
        names = {each.name for each in fields(cls)} - {"others"}
        known = {name: _read(name, given[name]) for name in given if name in names}
        others = {str(name): each for name, each in given.items() if name not in names}
        return cls(**{name: each for name, each in known.items() if each is not None}, others=others)


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, str | Mapping | list | tuple) and not value)


def _read(name: str, value: Any) -> Any:
    """Returns the value of a field, or None if it has another type."""
    reader = READERS.get(name)
    if reader is not None:
        try:
            return reader(value)
        except (TypeError, ValueError, KeyError):
            return None
    return value if isinstance(value, TYPES[name]) and not isinstance(value, bool) else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in _list(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return dict(value)


def _savers(value: Any) -> tuple[CheckpointSettings, ...]:
    return tuple(CheckpointSettings(**{**each, "pinned": frozenset(each["pinned"])}) for each in _list(value))


READERS: Mapping[str, Callable[[Any], Any]] = {
    "versions": _mapping,
    "changes": _texts,
    "savers": _savers,
    "trunks": lambda value: tuple(map(_mapping, _list(value))),
    "tables": lambda value: tuple(map(_mapping, _list(value))),
    "warm_start": _mapping,
    "resumed_from": _mapping,
    "rollbacks": lambda value: tuple(RollbackEntry(**each) for each in _list(value)),
    "history": lambda value: tuple(HistoryEntry.from_json(_mapping(each)) for each in _list(value)),
    "metrics": _mapping,
    "secs": _mapping,
    "exports": _texts,
}
TYPES = {name: hint for name, hint in get_type_hints(RunInfo).items() if name not in READERS}
