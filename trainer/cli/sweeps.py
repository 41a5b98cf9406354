"""Jobs of a sweep: their outcomes, the table of them, and the files ``summary.csv`` and ``summary.json``."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from trainer.cli.command import as_json
from trainer.config.keys import with_key
from trainer.errors import Interrupted, RequestError, TrainerError
from trainer.files import write_atomically

log = logging.getLogger(__name__)


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
    """

    overrides: tuple[str, ...]
    error: TrainerError | None = None
    directory: Path | None = None
    ended: str = "finished"
    metric: str = ""
    value: float | None = None

    @property
    def status(self) -> str:
        """Status of the job in one or two words."""
        if self.error is None:
            return self.ended
        if isinstance(self.error, Interrupted):
            return "interrupted"
        return "refused" if isinstance(self.error, RequestError) else "failed"

    def to_json(self, job: int) -> dict[str, Any]:
        """Returns the outcome as JSON data, with the number of the job."""
        return {
            "job": job,
            "overrides": self.overrides,
            "status": self.status,
            "metric": self.metric or None,
            "value": self.value,
            "directory": self.directory,
            "error": None if self.error is None else with_key(self.error),
        }


def write_summary(directory: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes ``summary.json`` and ``summary.csv``; a disk that refuses them stops no sweep.

    Args:
        directory: Directory of the sweep.
        outcomes: Outcomes of the jobs so far, in order.
    """
    jobs = [outcome.to_json(job) for job, outcome in enumerate(outcomes)]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / "summary.json", f"{as_json({'jobs': jobs})}\n")
        write_atomically(directory / "summary.csv", as_csv(outcomes))
    except OSError as error:
        log.warning("the summary of the sweep cannot be written to %s (%s)", directory, error.strerror)


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
    for job, (outcome, row) in enumerate(zip(outcomes, pairs, strict=True)):
        values = {key.lstrip("+"): value for key, value in row}
        own = [job, outcome.status, outcome.metric, outcome.value, outcome.directory]
        writer.writerow([*own, *(values.get(key) for key in keys)])
    return text.getvalue()


def sweep_table(outcomes: Sequence[Outcome]) -> str:
    """Returns the table of a sweep's jobs; overrides that all of them have are left out.

    Example:
        >>> print(sweep_table([Outcome(("+experiment=a", f"seed={i}"), metric="loss", value=i / 8) for i in (1, 2)]))
        job    overrides    status      loss  directory
        -----  -----------  --------  ------  -----------
        0      seed=1       finished   0.125
        1      seed=2       finished    0.25
    """
    common = set.intersection(*(set(outcome.overrides) for outcome in outcomes)) if len(outcomes) > 1 else set()
    names = list(dict.fromkeys(outcome.metric for outcome in outcomes if outcome.metric))
    headers = ["job", "overrides", "status", names[0] if len(names) == 1 else "metric", "directory"]
    rows = [
        [
            str(job),
            " ".join(each for each in outcome.overrides if each not in common),
            outcome.status,
            _value(outcome, with_name=len(names) > 1),
            str(outcome.directory or ""),
        ]
        for job, outcome in enumerate(outcomes)
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
