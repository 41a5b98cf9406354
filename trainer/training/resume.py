"""Decision on the directory of a run and on the checkpoint that it continues from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from trainer.checkpoints.catalog import Catalog, read_catalog, run_of
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.resolve import newest_is_meant, resolve_checkpoint
from trainer.checkpoints.store import CheckpointStore, SkippedCheckpoint, newest_good
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.checks import close_matches, suggestion
from trainer.errors import CheckpointError, RequestError
from trainer.runs.directory import RunDirectory, new_directory, runs_of

WORDS = ("never", "latest", "auto")


@dataclass(frozen=True)
class Start:
    """Start of a run: its directory and the checkpoint that it continues from.

    Args:
        run: Directory of the run.
        stores: Stores of its checkpoints, one for each prefix; the first is that of ``record``.
        record: Commit record of the checkpoint to continue from, or None.
        skipped: Newer checkpoints that cannot be used.
        external: Prefix of an external checkpoint that gives a new run its variables and step, or None.
        seen: Names of the commit records at the time of the decision.
        is_new: Whether the directory is named by the time and does not exist yet.
        is_finished: Whether the run is that of a job of a sweep, and finished.
    """

    run: RunDirectory
    stores: tuple[CheckpointStore, ...]
    record: CommitRecord | None = None
    skipped: tuple[SkippedCheckpoint, ...] = ()
    external: Path | None = None
    seen: tuple[str, ...] = ()
    is_new: bool = False
    is_finished: bool = False

    @property
    def store(self) -> CheckpointStore:
        """Store of the checkpoint to continue from."""
        return self.stores[0]

    def in_new_directory(self) -> Start:
        """Returns the same start in a directory that was made just now, for this process alone."""
        run = self.run.made_new()
        stores = tuple(CheckpointStore(run.checkpoints, store.prefix) for store in self.stores)
        return replace(self, run=run, stores=stores)


@dataclass(frozen=True)
class Request:
    """Settings that decide how a run starts.

    Args:
        resume: ``never``, ``latest``, ``auto``, or a reference to a checkpoint, as
            ``trainer.checkpoints.find`` takes it.
        root: Directory of all runs.
        name: Name of the run.
        run_dir: Directory of the run; None for one that is named by the time, under ``root``.
        prefixes: Prefixes of the checkpoints that the run's savers write and a resume can take.
        now: Time for the name of a new directory.
        is_own: Function that returns whether a run of the name has the very settings of this job of a sweep; None
            where the newest run of the name is meant.
    """

    resume: str
    root: Path
    name: str
    run_dir: Path | None
    prefixes: tuple[str, ...]
    now: datetime
    is_own: Callable[[RunDirectory], bool] | None = None


def decide(request: Request) -> Start:
    """Returns the start of a run; reads the disk and changes nothing.

    Raises:
        RequestError: There is nothing to resume, or the directory is in use or cannot be written.
        CheckpointError: There are checkpoints, but none is good.
    """
    start = _decide(request)
    check_writable(start.run.path, argument="root" if request.run_dir is None else "run_dir")
    return start


def _decide(request: Request) -> Start:
    if request.resume == "never":
        return _fresh(request)
    if request.resume not in WORDS:
        return _from_path(request.resume, request)
    run = RunDirectory(request.run_dir) if request.run_dir else None
    if run is None and request.is_own is not None:
        return _of_a_job(request, request.is_own)
    if run is None:
        run = next(iter(reversed(runs_of(request.root, request.name))), None)
    if request.resume == "auto":
        there_is_one = run is not None and run.exists()
        if run is None or not there_is_one or (request.run_dir is None and run.info().is_finished):
            return _fresh(request)
    if run is None or not run.exists():
        raise RequestError(_no_run(request.root, request.name, request.run_dir), argument="resume")
    return _continued(run, request.prefixes, may_be_new=request.resume == "auto")


def _of_a_job(request: Request, is_own: Callable[[RunDirectory], bool]) -> Start:
    """Returns the start of a job of a sweep: its own finished run, else its newest, else a new one."""
    own = [run for run in runs_of(request.root, request.name) if is_own(run)]
    if finished := [run for run in own if _has_nothing_left(run, request.prefixes)]:
        return Start(finished[-1], _stores(finished[-1], request.prefixes), is_finished=True)
    if own:
        return _continued(own[-1], request.prefixes, may_be_new=True)
    if request.resume == "auto":
        return _fresh(request)
    raise RequestError(
        f"resume='latest': no run named {request.name!r} in {request.root} has the settings of this job; resume='auto' "
        "starts one",
        argument="resume",
    )


def _has_nothing_left(run: RunDirectory, prefixes: Iterable[str]) -> bool:
    """Returns whether a run is finished; one that was stopped early may go on, which only its checkpoint tells."""
    info = run.info()
    return info.is_finished and (info.stop_reason is None or not _names(_stores(run, prefixes)))


def check_unchanged(start: Start) -> None:
    """Checks that no other process has worked in the directory since the decision.

    Raises:
        RequestError: The directory has other checkpoints now.
    """
    if start.seen != _names(start.stores):
        raise RequestError(f"another process has worked in {start.run.path} meanwhile; start again")


def check_writable(path: Path, argument: str = "") -> None:
    """Checks that a run can write in a directory, before anything slow is done.

    Args:
        path: Path of the directory; need not exist yet.
        argument: Name of the argument that decides the path, for the error.

    Raises:
        RequestError: The directory, or the nearest existing one above it, is not writable.
    """
    special = sorted(set(str(path)) & set("*?[]{}\\"))
    if special:
        raise RequestError(
            f"{path} holds {special[0]!r}, which TensorFlow takes for a pattern; choose another name",
            argument=argument,
        )
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise RequestError(f"{path} cannot be made: {nearest} is a file; choose another directory", argument=argument)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise RequestError(f"{nearest} cannot be written by this user; choose another directory", argument=argument)


def _names(stores: Iterable[CheckpointStore]) -> tuple[str, ...]:
    return tuple(record.name for store in stores for record in store.records()[0])


def _stores(run: RunDirectory, prefixes: Iterable[str]) -> tuple[CheckpointStore, ...]:
    return tuple(CheckpointStore(run.checkpoints, prefix) for prefix in prefixes)


def _new(run: RunDirectory, request: Request, external: Path | None) -> Start:
    return Start(run, _stores(run, request.prefixes), external=external, is_new=request.run_dir is None)


def _fresh(request: Request, external: Path | None = None) -> Start:
    if request.run_dir is None:
        return _new(new_directory(request.root, request.name, request.now), request, external)
    run = RunDirectory(request.run_dir)
    if run.path.exists() and not run.path.is_dir():
        raise RequestError(f"{run.path} is a file; name a directory", argument="run_dir")
    if run.exists():
        remedy = "resume='auto' continues its run, or" if run.run_file.exists() else "it holds files of no run;"
        raise RequestError(f"{run.path} is in use: {remedy} choose another directory", argument="run_dir")
    return _new(run, request, external)


def _no_run(root: Path, name: str, run_dir: Path | None) -> str:
    if run_dir is not None:
        return f"resume='latest': there is no run in {run_dir}; leave out resume to start one there"
    others = [path.name for path in root.iterdir() if runs_of(root, path.name)] if root.is_dir() else []
    return (
        f"resume='latest': there is no run named {name!r} in {root}; {suggestion(name, others)} "
        "(leave out resume to start one)"
    )


def _continued(run: RunDirectory, prefixes: tuple[str, ...], *, may_be_new: bool) -> Start:
    stores = _stores(run, prefixes)
    if not any(any(store.records()) for store in stores):
        # A run that stopped before its first save has nothing to lose: it starts again in the same directory.
        if may_be_new and run.run_file.exists():
            return Start(run, stores)
        names = " or ".join(f"{prefix}-*" for prefix in prefixes)
        raise RequestError(
            f"resume: {run.path} has no checkpoint {names}; leave out resume to start a new run", argument="resume"
        )
    newest, record, skipped = newest_of_all(stores)
    ordered = (newest, *(store for store in stores if store is not newest))
    return Start(run, ordered, record, tuple(skipped), seen=_names(ordered))


def newest_of_all(
    stores: Sequence[CheckpointStore],
) -> tuple[CheckpointStore, CommitRecord, list[SkippedCheckpoint]]:
    """Returns the newest good checkpoint of several stores, with its store.

    Returns:
        Store and record of the checkpoint, and the checkpoints that were skipped in all stores.

    Raises:
        CheckpointError: No checkpoint is good; the message lists what was tried.
    """
    found: list[tuple[CheckpointStore, CommitRecord]] = []
    skipped: list[SkippedCheckpoint] = []
    problems: list[SkippedCheckpoint] = []
    for store in stores:
        if not any(store.records()):
            continue
        try:
            record, skipped_here = newest_good(store)
        except CheckpointError as error:
            problems.append(SkippedCheckpoint(f"{store.prefix}-*", str(error), damaged=False))
        else:
            found.append((store, record))
            skipped += skipped_here
    if not found:
        reasons = "\n".join(each.reason for each in problems)
        raise CheckpointError(reasons or f"{stores[0].directory} has no checkpoint to resume from")
    return *max(found, key=lambda each: each[1].global_step), [*skipped, *problems]


def _from_path(reference: str, request: Request) -> Start:
    start = _start_at(reference, request)
    if request.run_dir is not None and start.external is None:
        raise RequestError(
            f"resume={reference!r} continues in the directory of that run; leave out run_dir={str(request.run_dir)!r}",
            argument="run_dir",
        )
    return start


def _start_at(reference: str, request: Request) -> Start:
    try:
        directory = newest_is_meant(reference)
        found = read_catalog(directory) if directory else resolve_checkpoint(reference)
    except RequestError as error:
        raise RequestError(_no_path(reference, error), argument="resume") from error
    return _from_catalog(found, request) if isinstance(found, Catalog) else _from_checkpoint(found, request)


def _from_catalog(catalog: Catalog, request: Request) -> Start:
    run = _run_with(catalog.directory, catalog.run)
    if run is not None and any(each.record for each in catalog.checkpoints):
        # For a resume, the newest checkpoint that verifies is not enough: it must be complete.
        return _continued(run, request.prefixes, may_be_new=False)
    return _fresh(request, external=catalog.last().prefix)


def _from_checkpoint(found: StoredCheckpoint, request: Request) -> Start:
    run = _run_with(found.directory, run_of(found))
    if run is None or found.record is None:
        return _fresh(request, external=found.prefix)
    return _from_record(run, found, found.record, request)


def _run_with(directory: Path, run: RunDirectory | None) -> RunDirectory | None:
    """Returns the run whose savers write into a directory of checkpoints; None for a copy elsewhere in the run."""
    return run if run is not None and run.checkpoints.is_dir() and run.checkpoints.samefile(directory) else None


def _no_path(reference: str, error: RequestError) -> str:
    if near := close_matches(reference, WORDS):
        return f"resume ({reference!r}) is not {', '.join(WORDS)} or a checkpoint; did you mean {' or '.join(near)}?"
    return f"resume: {error}"


def _from_record(run: RunDirectory, found: StoredCheckpoint, record: CommitRecord, request: Request) -> Start:
    if not record.complete:
        raise CheckpointError(f"{found.prefix} holds only a part of the variables; it cannot be resumed from")
    others = (prefix for prefix in request.prefixes if prefix != found.name_prefix)
    stores = _stores(run, (found.name_prefix, *others))
    return Start(run, stores, record, seen=_names(stores))
