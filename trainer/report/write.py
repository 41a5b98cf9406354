"""Writes a report: the HTML file, and a PNG beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from trainer import report
from trainer.errors import RequestError
from trainer.files import write_atomically
from trainer.report.charts import charts_of, charts_of_runs
from trainer.report.comparison import compare_runs
from trainer.report.run_record import RunRecord, read_run

NAME = "report.html"
PACKAGES = ("matplotlib", "jinja2")


def check_extra() -> None:
    """Checks that the packages of a report are installed; imports none of them.

    Raises:
        RequestError: One is missing.
    """
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise RequestError(f"a report needs {' and '.join(missing)}: pip install 'graph-trainer[report]'")


def write_report(runs: Sequence[Path], target: Path, now: datetime, *, verify: bool) -> list[RunRecord]:
    """Writes the report on one or several runs, and returns what it shows, the best run first.

    Args:
        runs: Run directories, at least one.
        target: Path of the HTML file; the PNG has the same name with the suffix ``.png``.
        now: Current time, with its time zone.
        verify: Whether every byte of the artefacts is compared with its checksum.

    Raises:
        RequestError: A package is missing.
        OSError: A file cannot be written.
    """
    check_extra()
    records = [read_run(path, now, verify=verify) for path in runs]
    if len(records) == 1:
        charts, comparison, title = charts_of(records[0]), None, records[0].name
        head = f"{title}: {records[0].status}"
    else:
        comparison = compare_runs(records)
        records = [row.run for row in comparison.rows]
        charts = charts_of_runs(records)
        head = title = " and ".join(dict.fromkeys(record.name for record in records[:3]))
    page = report.render_page(records, charts, comparison, title)
    picture = report.draw_overview(head[:150], charts, records[0].summary if comparison is None else None)
    write_atomically(target, page)
    write_atomically(target.with_suffix(".png"), picture)
    return records
