"""Jobs of a sweep: their outcomes, the table of them, and the files ``summary.csv`` and ``summary.json``."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from trainer.cli.command import as_json
from trainer.config.keys import with_key
from trainer.errors import Interrupted, RequestError, TrainerError
from trainer.files import write_atomically
from trainer.timing import utc_now

log = logging.getLogger(__name__)

SUMMARY = "summary.json"
"""Name of the file in the directory of a sweep."""

ERRORS: Mapping[str, type[TrainerError]] = {"refused": RequestError}
"""Kinds of errors by the status of the job; all others are failures."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of a job.

    Args:
        overrides: Overrides of the job, as typed.
        error: Error that ended the job, or None.
        directory: Directory of the run, or None where none was made.
        ended: How the run ended where there was no error: ``finished``, ``interrupted`` by a limit of its own, or
            ``finished before``.
        metric: Name of the metric that the job returns; "" where there is none.
        value: Value of that metric, or None.
        job: Number of the job in its sweep.
    """

    overrides: tuple[str, ...]
    error: TrainerError | None = None
    directory: Path | None = None
    ended: str = "finished"
    metric: str = ""
    value: float | None = None
    job: int = 0

    @property
    def status(self) -> str:
        """Status of the job in one or two words."""
        if self.error is None:
            return self.ended
        if isinstance(self.error, Interrupted) or self.ended == "interrupted":
            return "interrupted"
        return "refused" if isinstance(self.error, RequestError) else "failed"

    def to_json(self) -> dict[str, Any]:
        """Returns the outcome as JSON data."""
        return {
            "job": self.job,
            "overrides": self.overrides,
            "status": self.status,
            "metric": self.metric or None,
            "value": self.value,
            "directory": self.directory,
            "error": None if self.error is None else with_key(self.error),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Outcome:
        """Returns the outcome of JSON data; an error has its message and kind, but not its class.

        Raises:
            KeyError, TypeError, ValueError: The data are not those of an outcome.

        Example:
            >>> outcome = Outcome(("seed=1",), RequestError("no"), job=2)
            >>> Outcome.from_json(outcome.to_json()).to_json() == outcome.to_json()
            True
        """
        status, message, directory = str(value["status"]), value.get("error"), value.get("directory")
        return cls(
            overrides=tuple(map(str, value["overrides"])),
            error=None if message is None else ERRORS.get(status, TrainerError)(str(message)),
            directory=None if directory is None else Path(directory),
            ended=status,
            metric=str(value.get("metric") or ""),
            value=None if value.get("value") is None else float(value["value"]),
            job=int(value["job"]),
        )


def add_to_summary(directory: Path, outcome: Outcome, sweep: str) -> None:
    """Writes ``summary.json`` and ``summary.csv`` with one more job; a disk that refuses them stops no sweep.

    Jobs may end at the same time in several processes, as some launchers start them.

    Args:
        directory: Directory of the sweep.
        outcome: Outcome of the job.
        sweep: Name of the sweep that its jobs share; a summary of another sweep is replaced.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _alone_in(directory):
            others = [each for each in read_outcomes(directory, sweep) if each.job != outcome.job]
            outcomes = sorted([*others, outcome], key=lambda each: each.job)
            jobs = [each.to_json() for each in outcomes]
            write_atomically(directory / SUMMARY, f"{as_json({'sweep': sweep, 'jobs': jobs})}\n")
            write_atomically(directory / "summary.csv", as_csv(outcomes))
    except OSError as error:
        log.warning("the summary of the sweep cannot be written to %s (%s)", directory, error.strerror)


def read_outcomes(directory: Path, sweep: str | None = None) -> list[Outcome]:
    """Returns the outcomes in the summary of a sweep; [] if there is none that can be read.

    Args:
        directory: Directory of the sweep.
        sweep: Name of the sweep that is meant; None for any.
    """
    try:
        stored = json.loads((directory / SUMMARY).read_text(encoding="utf-8"))
        if sweep is not None and stored["sweep"] != sweep:
            return []
        return [Outcome.from_json(each) for each in stored["jobs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def runs_of_sweeps(folder: Path) -> list[Path]:
    """Returns the directories of the jobs of a sweep, or of all sweeps in a folder, by their summaries.

    Args:
        folder: Directory of a sweep, such as ``outputs/sweeps/2026-11-27_19-06-07``, or of sweeps.
    """
    summaries = [folder / SUMMARY, *sorted(folder.glob(f"*/{SUMMARY}"))]
    found = [path for summary in summaries for path in _directories_in(summary)]
    return list({path.resolve(): path for path in found}.values())


def _directories_in(summary: Path) -> Iterator[Path]:
    """Yields the directories that a summary names; where those are gone, the runs of the root that the sweep is in."""
    for outcome in read_outcomes(summary.parent):
        if outcome.directory is not None:
            moved = summary.absolute().parents[2].joinpath(*outcome.directory.parts[-2:])
            yield from [path for path in (outcome.directory, moved) if path.is_dir()][:1]


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Waits until no other process writes into a directory, on file systems that have locks."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def as_csv(outcomes: Sequence[Outcome]) -> str:
    r"""Returns the outcomes as CSV, with a column for each key that any job overrides.

    Example:
        >>> as_csv([Outcome(("seed=1", "~callbacks.freeze"), metric="loss", value=0.5)]).splitlines()
        ['job,status,metric,value,directory,seed,~callbacks.freeze', '0,finished,loss,0.5,,1,']
    """
    pairs = [[each.partition("=")[::2] for each in outcome.overrides] for outcome in outcomes]
    keys = list(dict.fromkeys(key.lstrip("+") for row in pairs for key, _ in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["job", "status", "metric", "value", "directory", *keys])
    for outcome, row in zip(outcomes, pairs, strict=True):
        values = {key.lstrip("+"): value for key, value in row}
        own = [outcome.job, outcome.status, outcome.metric, outcome.value, outcome.directory]
        writer.writerow([*own, *(values.get(key) for key in keys)])
    return text.getvalue()


class JobOutcomes:
    """Outcomes of the jobs that Hydra starts, in this process or, by some launchers, in others.

    Args:
        folder: Temporary directory of this command line, in which a job leaves word of where the sweep is.
    """

    def __init__(self, folder: Path) -> None:
        self._word = folder / "directory"
        self._sweep = f"{utc_now()} {folder.name}"
        self._own: list[Outcome] = []

    def add(self, outcome: Outcome, directory: Path | None) -> None:
        """Adds an outcome, in the process of its job.

        Args:
            outcome: Outcome of the job.
            directory: Directory of the sweep; None for a job of its own.
        """
        self._own.append(outcome)
        if directory is not None:
            add_to_summary(directory, outcome, self._sweep)
            with contextlib.suppress(OSError):  # on another machine
                self._word.write_text(str(directory.absolute()), encoding="utf-8")

    def all(self) -> list[Outcome]:
        """Returns the outcomes; of jobs in other processes, by the summary of the sweep."""
        if self._own or not self._word.exists():
            return self._own
        return read_outcomes(Path(self._word.read_text(encoding="utf-8")), self._sweep)


def sweep_table(outcomes: Sequence[Outcome]) -> str:
    """Returns the table of a sweep's jobs; overrides that all of them have are left out.

    Example:
        >>> jobs = [Outcome(("+experiment=a", f"seed={i}"), metric="loss", value=i / 8, job=i) for i in (1, 2)]
        >>> print(sweep_table(jobs))
        job    overrides    status      loss  directory
        -----  -----------  --------  ------  -----------
        1      seed=1       finished   0.125
        2      seed=2       finished    0.25
    """
    common = set.intersection(*(set(outcome.overrides) for outcome in outcomes)) if len(outcomes) > 1 else set()
    names = list(dict.fromkeys(outcome.metric for outcome in outcomes if outcome.metric))
    headers = ["job", "overrides", "status", names[0] if len(names) == 1 else "metric", "directory"]
    rows = [
        [
            str(outcome.job),
            " ".join(each for each in outcome.overrides if each not in common),
            outcome.status,
            _value(outcome, with_name=len(names) > 1),
            str(outcome.directory or ""),
        ]
        for outcome in outcomes
    ]
    align = ("left", "left", "left", "right", "left")
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=align)


def _value(outcome: Outcome, *, with_name: bool) -> str:
    if outcome.value is None:
        return ""
    value = f"{outcome.value:.4g}" if math.isfinite(outcome.value) else str(outcome.value)
    return f"{outcome.metric} {value}" if with_name else value


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Returns the exit code of the only job, or that of a sweep: 1 if a job failed; each failed job is logged."""
    failed = [(outcome.overrides, outcome.error) for outcome in outcomes if outcome.error is not None]
    if len(outcomes) > 1:
        lines = [f"  {' '.join(overrides)}: {with_key(error).splitlines()[0]}" for overrides, error in failed]
        log.info("\n".join([f"{len(failed)} of {len(outcomes)} jobs failed", *lines]))
        return 1 if failed else 0
    return failed[0][1].exit_code if failed else 0
