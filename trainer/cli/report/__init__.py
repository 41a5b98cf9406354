"""``graph-trainer report``, ``scripts/report``: one HTML file about a run, or about several in comparison."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trainer import report
from trainer.cli.command import Answer, SingleCommand
from trainer.errors import RequestError
from trainer.files import format_size
from trainer.report.run_record import RunRecord
from trainer.report.write import NAME


def main(arguments: Sequence[str] | None = None, prog: str = "scripts/report") -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: Arguments after the name of the program; None for those of this process.
        prog: Name of the program, for usage lines.
    """
    command = SingleCommand(prog, "Writes a report on a run, or on several in comparison: HTML and PNG.", _report)
    parser = command.parser
    parser.add_argument("directories", nargs="+", metavar="DIR", help="run directories, or directories that hold runs")
    parser.add_argument("-o", "--output", metavar="FILE.html", help=f"the file to write; else {NAME} in the directory")
    parser.add_argument("--sizes", action="store_true", help="compare sizes of artefacts alone, not every byte")
    return command.main(arguments)


def _report(chosen: argparse.Namespace) -> Answer:
    report.check_extra()
    runs = report.runs_below(chosen.directories)
    target = _target(chosen)
    records = report.write_report(runs, target, datetime.now(timezone.utc), verify=not chosen.sizes)
    picture = target.with_suffix(".png")
    data = {"html": target, "png": picture, "runs": [_entry(each) for each in records]}
    lines = [f"{each}  {format_size(each.stat().st_size)}" for each in (target, picture)]
    about = f"{records[0].name}: {records[0].status}" if len(records) == 1 else f"{len(records)} runs"
    return Answer(data, "\n".join([about, *lines]))


def _target(chosen: argparse.Namespace) -> Path:
    """Returns the path of the HTML file.

    Raises:
        RequestError: It is no HTML file, or its directory is not there or cannot be written.
    """
    given, root = chosen.output, chosen.directories
    target = Path(given) if given else (Path(root[0]) if len(root) == 1 else Path()) / NAME
    if target.suffix.lower() not in (".html", ".htm"):
        raise RequestError(f"--output ({given}) must end in .html")
    if not target.parent.is_dir():
        raise RequestError(f"there is no directory {target.parent} for {target.name}; make it, or choose another")
    if target.is_dir():
        raise RequestError(f"{target} is a directory; choose a file")
    if not os.access(target.parent, os.W_OK):
        raise RequestError(f"{target.parent} cannot be written by this user; choose another file with -o FILE.html")
    return target


def _entry(run: RunRecord) -> dict[str, Any]:
    best = run.best
    return {
        "directory": run.path,
        "name": run.name,
        "status": run.status.word,
        "reason": run.status.reason,
        "epoch": run.epoch,
        "total_epochs": run.info.total_epochs,
        "seconds": run.secs,
        "steps_per_sec": run.rate,
        "best": None
        if best is None
        else {"metric": best.metric, "value": best.value, "epoch": best.epoch, "checkpoint": best.checkpoint or None},
        "artefacts": [
            {"name": each.name, "kind": each.kind, "size": each.size, "verdict": each.verdict, "check": each.check}
            for each in run.artefacts
        ],
    }
