"""Runs below a directory: found, and read without changing anything; a damaged one is a row like the others."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trainer.checkpoints.record import best_first, read_record
from trainer.cli.sweeps import runs_of_sweeps
from trainer.errors import CheckpointError
from trainer.runs.directory import RunDirectory
from trainer.runs.lock import LockView, look_at
from trainer.runs.metric_file import MetricFile
from trainer.runs.run_info import RunInfo
from trainer.runs.saved_checkpoints import monitored_by

STATUSES = ("running", "finished", "interrupted", "failed", "killed", "elsewhere", "unknown")
"""Statuses of runs in a listing."""

MAX_DEPTH = 6
"""Levels of directories below the root in which runs are looked for."""

OF_A_RUN = ("checkpoints", "export")
"""Directories of a run that hold no other runs."""

NOT_OVERRIDDEN = ("experiment", "run", "resume", "resume_changes", "hydra")
"""First parts of keys that say where a run is and how it starts, not what it trains."""


@dataclass(frozen=True)
class Best:
    """Best value of the metric that decides which checkpoint of a run is the best.

    Args:
        name: Name of the metric.
        value: Best value.
        mode: ``min``, ``max``, or ``last`` where only the value of the last epoch is known.
        source: Where it is from: ``metrics.jsonl``, ``checkpoints`` (their commit records) or ``run.json``.
    """

    name: str
    value: float
    mode: str
    source: str


@dataclass(frozen=True)
class RunRow:
    """State of a run; None for what is not known.

    Args:
        path: Directory of the run.
        name: Name of the run.
        status: One of ``STATUSES``.
        note: Reason of a status that needs one, else "".
        epoch: Completed epochs.
        total_epochs: Epochs at which the run is complete.
        best: Best value of its metric.
        metrics: Value of the last epoch by name of the metric.
        started: Time of the first start, UTC, ISO 8601.
        steps_per_sec: Steps per second.
        size: Bytes on disk; a file with several names counts once.
        overrides: Overrides of the last invocation.
        error: Message of the error that ended the last process.
    """

    path: Path
    name: str
    status: str
    note: str = ""
    epoch: int | None = None
    total_epochs: int | None = None
    best: Best | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    started: str | None = None
    steps_per_sec: float | None = None
    size: int = 0
    overrides: tuple[str, ...] = ()
    error: str | None = None

    def age_secs(self, now: datetime) -> float | None:
        """Returns the seconds since the first start, or None."""
        try:
            then = datetime.fromisoformat(self.started or "")
        except ValueError:
            return None
        return (now - (then if then.tzinfo else then.replace(tzinfo=timezone.utc))).total_seconds()


class RunList:
    """Runs below a directory, read again at each call; of a file of metrics only what is new.

    Args:
        root: Directory of runs, or a run.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[Path, MetricFile] = {}

    def rows(self) -> list[RunRow]:
        """Returns a row for each run."""
        paths = list(find_runs(self._root)) or runs_of_sweeps(self._root)
        self._files = {path: self._files.get(path) or MetricFile(RunDirectory(path).metrics_file) for path in paths}
        return [row_of(path, file) for path, file in self._files.items()]


def find_runs(root: Path, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Yields the directories of runs: the root itself, and those below it; links are not followed.

    Args:
        root: Directory to start at.
        depth: Levels below it.
    """
    try:
        with os.scandir(root) as found:
            entries = {each.name: each.is_dir(follow_symlinks=False) for each in found}
    except OSError:  # gone meanwhile, or not readable by this user
        return
    if is_run(entries):
        yield root
    for name in sorted(name for name, is_folder in entries.items() if is_folder):
        if depth and not name.startswith(".") and name not in OF_A_RUN:
            yield from find_runs(root / name, depth - 1)


def is_run(names: Mapping[str, bool]) -> bool:
    """Returns whether a directory is that of a run, perhaps one that has lost its ``run.json``.

    Args:
        names: Whether each entry is a directory, by name.
    """
    return any(names.get(name) is False for name in ("run.json", "run.lock", "metrics.jsonl")) or (
        names.get("config.yaml") is False and names.get("checkpoints") is True
    )


def row_of(path: Path, file: MetricFile) -> RunRow:
    """Returns the state of a run.

    Args:
        path: Directory of the run.
        file: Its file of metrics, read before or not.
    """
    run = RunDirectory(path)
    info = run.info()
    file.read()
    status, note = status_of(info.status, _lock_of(run), has_run_json=run.run_file.exists())
    rate = file.values.get("steps_per_sec")
    ended_rate = info.steps_per_sec if status == "finished" else None
    return RunRow(
        path=path,
        name=info.name or (path.parent.name or str(path)),
        status=status,
        note=note,
        epoch=max((each for each in (info.epoch, file.epoch) if each is not None), default=None),
        total_epochs=info.total_epochs,
        best=_best(run, info, file),
        metrics={**(info.metrics or {}), **{name: values.last for name, values in file.values.items()}},
        started=info.started,
        steps_per_sec=ended_rate or (rate.last if rate else None) or info.steps_per_sec,
        size=bytes_below(path),
        overrides=overrides_of(info),
        error=info.error if status == "failed" else None,
    )


def _lock_of(run: RunDirectory) -> LockView:
    try:
        return look_at(run.lock_file)
    except OSError as error:
        return LockView("elsewhere", f"another user ({error.strerror})")


def status_of(stored: str, lock: LockView, *, has_run_json: bool = True) -> tuple[str, str]:
    """Returns the status of a run and the reason where it needs one.

    Args:
        stored: Status in ``run.json``; "" if it has none.
        lock: State of the lock of the run.
        has_run_json: Whether there is a ``run.json``.

    Example:
        >>> status_of("running", LockView("free"))
        ('killed', '')
        >>> status_of("running", LockView("elsewhere", "process 7 on gpu1"))
        ('elsewhere', 'in use by process 7 on gpu1, or left so: that cannot be seen from here')
    """
    if lock.state == "held":
        return "running", ""
    if stored in ("running", "") and lock.state == "elsewhere":
        return "elsewhere", f"in use by {lock.holder}, or left so: that cannot be seen from here"
    if stored == "running":
        return "killed", ""
    if stored in STATUSES:
        return stored, ""
    return "unknown", "its run.json has no status that is known" if has_run_json else "it has no run.json"


def _best(run: RunDirectory, info: RunInfo, file: MetricFile) -> Best | None:
    """Returns the best value of what the saver monitors, or of the loss, by the first source that has it."""
    saver = monitored_by(info.savers)
    for name, mode in dict.fromkeys([(saver.monitor, saver.mode), ("loss", "min")]):
        if name in file.values and (value := file.values[name].of(mode)) is not None:
            return Best(name, value, mode, "metrics.jsonl")
        if (saved := _best_saved(run, name, mode)) is not None:
            return Best(name, saved, mode, "checkpoints")
        value = (info.metrics or {}).get(name)
        if isinstance(value, int | float):
            return Best(name, value, "last", "run.json")
    return None


def _best_saved(run: RunDirectory, name: str, mode: str) -> float | None:
    records = []
    for path in run.checkpoints.glob("*-*.json"):
        try:
            records.append(read_record(path))
        except CheckpointError:
            continue
    best = best_first(records, name, mode)
    return best[0].metrics[name] if best else None


def overrides_of(info: RunInfo) -> tuple[str, ...]:
    """Returns the overrides of a run's last invocation, without those that only say where it is and how it starts.

    Example:
        >>> overrides_of(RunInfo(command="scripts/train --config-dir=c +experiment=linear seed=3 '~callbacks.freeze'"))
        ('seed=3', '~callbacks.freeze')
    """
    return tuple(each for each in _typed(info) if overridden_key(each).split(".")[0] not in NOT_OVERRIDDEN)


def _typed(info: RunInfo) -> Sequence[str]:
    """Returns the overrides as typed; of a run without a history, those in its command."""
    if info.history and info.history[-1].overrides:
        return info.history[-1].overrides
    try:
        words = shlex.split(info.command or "")
    except ValueError:  # a file that was changed by hand
        return ()
    return [each for each in words if not each.startswith("-") and ("=" in each or each.startswith("~"))]


def overridden_key(override: str) -> str:
    """Returns the key of an override.

    Example:
        >>> overridden_key("++data.batch_size=3"), overridden_key("~callbacks.freeze")
        ('data.batch_size', 'callbacks.freeze')
    """
    return override.lstrip("+~").partition("=")[0]


def bytes_below(directory: Path) -> int:
    """Returns the bytes of all files below a directory; one with several names counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                status = (Path(folder) / name).lstat()
            except OSError:  # removed by a rotation meanwhile
                continue
            sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def counted(rows: list[RunRow]) -> str:
    """Returns how many runs there are of each status, in words.

    Example:
        >>> counted([RunRow(Path("a"), "a", "finished"), RunRow(Path("b"), "b", "killed")])
        '2 runs: 1 finished, 1 killed'
    """
    counts: Any = Counter(row.status for row in rows)
    each = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    return f"{len(rows)} {'run' if len(rows) == 1 else 'runs'}{': ' if rows else ''}{each}"
