"""Which directory a run works in and which checkpoint it continues from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trainer.checkpoints.record import CommitRecord, read_record
from trainer.checkpoints.store import CheckpointStore, PassedOver, newest_good
from trainer.checks import close_matches, suggestion
from trainer.errors import CheckpointError, RequestError
from trainer.runs.directory import RunDirectory, is_finished, new_directory, runs_of

WORDS = ("never", "latest", "auto")


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Args:
        run: its directory.
        record: of the checkpoint to continue from, or None to start afresh.
        passed_over: the checkpoints that were not taken.
    """

    run: RunDirectory
    record: CommitRecord | None = None
    passed_over: tuple[PassedOver, ...] = ()


def decide(resume: str, root: Path, name: str, run_dir: Path | None, prefix: str, now: datetime) -> Start:
    """Returns where the run begins; reads the disk and changes nothing.

    Args:
        resume: ``never``, ``latest``, ``auto``, or a path: a run directory, or the prefix of a
            checkpoint inside one.
        root: of all runs.
        name: of the run.
        run_dir: the directory that was asked for, or None.
        prefix: of the checkpoints' names.
        now: for the name of a new directory.

    Raises:
        RequestError: there is nothing to resume, or the directory is taken.
        CheckpointError: there are checkpoints and none is good.
    """
    if resume == "never":
        return Start(_fresh(root, name, run_dir, now))
    if resume in ("latest", "auto"):
        run = RunDirectory(run_dir) if run_dir else next(iter(reversed(runs_of(root, name))), None)
        if resume == "auto" and (run is None or not run.exists() or (run_dir is None and is_finished(run.read()))):
            return Start(_fresh(root, name, run_dir, now))
        if run is None or not run.exists():
            raise RequestError(_no_run(root, name, run_dir))
        return _continued(run, prefix, may_be_new=resume == "auto")
    return _from_path(Path(resume), prefix)


def _fresh(root: Path, name: str, run_dir: Path | None, now: datetime) -> RunDirectory:
    if run_dir is None:
        return new_directory(root, name, now)
    run = RunDirectory(run_dir)
    if run_dir.exists() and not run_dir.is_dir():
        raise RequestError(f"run.dir {run_dir} is a file; name a directory")
    if run.exists():
        remedy = "resume=auto to continue it, or" if run.run_file.exists() else "it holds files of others;"
        raise RequestError(f"run.dir {run_dir} is in use: {remedy} choose another run.dir")
    return run


def _no_run(root: Path, name: str, run_dir: Path | None) -> str:
    if run_dir is not None:
        return f"resume=latest: there is no run in {run_dir}; leave out resume to start one there"
    others = [path.name for path in root.iterdir() if runs_of(root, path.name)] if root.is_dir() else []
    return (
        f"resume=latest: there is no run named {name!r} in {root}; {suggestion(name, others)} "
        "(leave out resume to start one)"
    )


def _continued(run: RunDirectory, prefix: str, *, may_be_new: bool) -> Start:
    store = CheckpointStore(run.checkpoints, prefix)
    if not any(store.records()):
        # A run that was stopped before its first save has nothing to lose: it starts again in place.
        if may_be_new and run.run_file.exists():
            return Start(run)
        raise RequestError(f"resume: {run.path} has no checkpoint {prefix}-*; leave out resume to start a new run")
    record, passed_over = newest_good(store)
    return Start(run, record, tuple(passed_over))


def _from_path(path: Path, prefix: str) -> Start:
    if path.is_dir():
        if not (path / "run.json").is_file():
            raise RequestError(f"resume: {path} is no run directory (it has no run.json); name one, or a checkpoint")
        return _continued(RunDirectory(path), prefix, may_be_new=False)
    record_file = path.with_name(path.name + ".json")
    if not record_file.is_file():
        there = sorted(p.stem for p in path.parent.glob("*-*.json")) if path.parent.is_dir() else []
        near = close_matches(path.name, [*WORDS, *there])
        hint = f"did you mean {' or '.join(near)}?" if near else f"there is no {record_file}"
        raise RequestError(
            f"resume ({str(path)!r}) must be never, latest, auto, a run directory or a checkpoint's prefix; {hint}"
        )
    run = RunDirectory(path.parent.parent)
    record = read_record(record_file)
    store = CheckpointStore(path.parent, prefix)
    store.verify(record)
    if not record.complete:
        raise CheckpointError(f"{path} holds only a part of the variables; it cannot be resumed from")
    return Start(run, record)
