"""Commit record of a checkpoint: the file that makes it count, written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from trainer.errors import CheckpointError

FORMAT = 1


@dataclass(frozen=True)
class FileEntry:
    """Size and checksum of a checkpoint's file at the commit.

    Args:
        size: Size in bytes.
        xxh3_128: Checksum of the content, hexadecimal.
    """

    size: int
    xxh3_128: str


@dataclass(frozen=True)
class CommitRecord:
    """Metadata of a committed checkpoint; JSON on disk, beside its files.

    Args:
        name: Name of the checkpoint, such as ``model-300``; its files are ``<name>.index`` and so on.
        number: Number in the name: completed epochs if epochs alone schedule saves, else the global step.
        epoch: Completed epochs.
        global_step: Updates of the variables.
        metrics: Metrics of the last completed epoch; None for what is not finite.
        state: State of the loop and of the callbacks, as their ``state_dict`` returned it.
        complete: Whether the files hold all that a resume needs.
        trained_secs: Seconds spent in training until this save, over all processes.
        saved_at: Time of the save, UTC, ISO 8601.
        settings: Settings that the variables depend on besides the data: seed, compile mode, digest of
            the config, versions.
        files: Size and checksum of each file, by the file's name.
    """

    name: str
    number: int
    epoch: int
    global_step: int
    metrics: Mapping[str, float | None]
    state: Mapping[str, Any]
    complete: bool
    trained_secs: float
    saved_at: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the record as JSON data, with a checksum of itself."""
        value = {"format": FORMAT, **asdict(self)}
        return {**value, "sha256": _checksum(value)}

    @classmethod
    def from_json(cls, value: Any) -> CommitRecord:
        """Returns the record of JSON data that ``to_json`` returned.

        Raises:
            CheckpointError: The value is not a commit record, was changed, or has a later format.
        """
        try:
            fields = dict(value)
            if fields.pop("sha256") != _checksum(fields):
                raise CheckpointError("the record is not what was written (SHA-256)")
            if fields.pop("format") != FORMAT:
                raise CheckpointError(f"the record's format is not {FORMAT}; a newer version wrote it")
            files = {name: FileEntry(**entry) for name, entry in fields.pop("files").items()}
            record = cls(**fields, files=files)
            _check_types(record)
            if outside := next((name for name in (record.name, *files) if Path(name).name != name), None):
                raise CheckpointError(f"the record names {outside!r}, which is not in its directory")
            return record
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise CheckpointError(f"this is not a commit record ({type(error).__name__}: {error})") from error


def _check_types(record: CommitRecord) -> None:
    """Raises a ValueError for a record whose values are not what the class says."""
    for names, kind in (
        (("name", "saved_at"), str),
        (("number", "epoch", "global_step"), int),
        (("metrics", "state", "settings"), dict),
        (("complete",), bool),
        (("trained_secs",), (int, float)),
    ):
        for name in names:
            if not isinstance(getattr(record, name), kind):
                raise ValueError(f"{name} is {getattr(record, name)!r}")
    if record.saved_at:
        datetime.fromisoformat(record.saved_at)


def _checksum(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_record(path: Path) -> CommitRecord:
    """Reads a commit record.

    Raises:
        CheckpointError: The file cannot be read; the message has its path and the reason.
    """
    try:
        return CommitRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
    except RecursionError as error:
        raise CheckpointError(f"{path}: this is not a commit record (it is nested too deeply)") from error
    except (OSError, ValueError, CheckpointError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def best_first(records: Sequence[CommitRecord], monitor: str, mode: str) -> list[CommitRecord]:
    """Returns the records that have the metric, the best first; of equal ones, the older first."""
    sign = 1 if mode == "min" else -1
    measured = [(value, r) for r in records if (value := r.metrics.get(monitor)) is not None]
    return [r for _, r in sorted(measured, key=lambda pair: (sign * pair[0], pair[1].global_step))]
