"""Commands ``list``, ``show``, ``diff`` and ``verify``, which change nothing."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainer import checkpoints
from trainer.checkpoints import analysis
from trainer.checkpoints.catalog import Catalog, read_catalog
from trainer.checkpoints.meta_graph import find_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.retention.prune import pinned_in
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.cli.command import Answer, Tool, age, path_argument, table
from trainer.errors import CheckpointError
from trainer.files import format_size

NO_RECORD = "no record"
DIRECTORY_HELP = "run, directory of checkpoints, or directory of runs for the newest run that has checkpoints"
NOT_METRICS = ("steps_per_sec",)


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    each = tool.command("list", "list the checkpoints of a directory", _list)
    each.add_argument("directory", type=path_argument, help=DIRECTORY_HELP)
    each.add_argument("--verify", action="store_true", help="read every byte to find damage, not only sizes")
    each = tool.command("show", "show the variables of a checkpoint, the optimizer's separately", _show)
    add_checkpoint(each)
    each = tool.command("diff", "show the differences between two checkpoints", _diff)
    each.add_argument("a", metavar="A", type=path_argument, help="first CHECKPOINT")
    each.add_argument("b", metavar="B", type=path_argument, help="second CHECKPOINT")
    each = tool.command("verify", "read every tensor and compare checksums; exit code 1 if one is damaged", _verify)
    each.add_argument(
        "path", metavar="PATH", type=path_argument, help="CHECKPOINT, or a directory for all checkpoints in it"
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Adds the argument for one checkpoint, and those that define ``@best``."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=path_argument,
        help="prefix or a file of it, directory, or DIRECTORY@WHICH",
    )
    add_monitor(parser)


def add_monitor(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that define the best checkpoint."""
    parser.add_argument("--monitor", help="metric that decides which checkpoint is best; by default the run's own")
    parser.add_argument(
        "--mode", choices=("min", "max"), help="end of the metric that is best; by default the run's own"
    )


def found(chosen: argparse.Namespace, *, allow_damaged: bool = False) -> StoredCheckpoint:
    """Returns the checkpoint that the arguments of ``add_checkpoint`` name."""
    return resolve_checkpoint(chosen.checkpoint, monitor=chosen.monitor, mode=chosen.mode, allow_damaged=allow_damaged)


def _list(chosen: argparse.Namespace) -> Answer:
    catalog = read_catalog(chosen.directory)
    pinned = pinned_in(catalog)
    problems = {each.name: [each.problem] if each.problem else [] for each in catalog.checkpoints}
    if chosen.verify:
        problems = _read_all(catalog.checkpoints)
    data = [_entry(each, each.number in pinned, problems[each.name]) for each in catalog.checkpoints]
    return Answer(
        {"directory": catalog.directory, "verified": chosen.verify, "checkpoints": data},
        _list_text(data, catalog.directory, time.time(), verified=chosen.verify),
        int(any(problems.values())),
    )


def _read_all(checkpoints: Sequence[StoredCheckpoint]) -> dict[str, list[str]]:
    return {each.name: analysis.problems_of(each) for each in checkpoints}


def _entry(checkpoint: StoredCheckpoint, pinned: bool, problems: list[str]) -> dict[str, Any]:
    record = checkpoint.record
    return {
        "name": checkpoint.name,
        "number": checkpoint.number,
        "epoch": record.epoch if record else None,
        "global_step": record.global_step if record else None,
        "saved_at": checkpoint.saved_at,
        "size": checkpoint.size,
        "metrics": dict(record.metrics) if record else {},
        "pinned": pinned,
        "has_record": record is not None,
        "complete": record.complete if record else None,
        "damaged": bool(problems),
        "problems": problems,
    }


def _list_text(data: list[dict[str, Any]], directory: Path, now: float, *, verified: bool) -> str:
    metrics = list(dict.fromkeys(name for each in data for name in each["metrics"] if name not in NOT_METRICS))
    rows = [
        [
            each["name"],
            each["number"],
            each["epoch"],
            each["global_step"],
            age(now - each["saved_at"]),
            format_size(each["size"]),
            *(each["metrics"].get(name) for name in metrics),
            each["pinned"],
            _state(each),
        ]
        for each in data
    ]
    headers = ["name", "number", "epoch", "step", "age", "size", *metrics, "pinned", "state"]
    notes = [f"damaged: {problem}" for each in data for problem in each["problems"]]
    notes.append(f"directory: {directory}")
    if not verified:
        notes.append("state: from records and file sizes; --verify reads every byte")
    return "\n".join([table(rows, headers), *notes])


def _state(entry: dict[str, Any]) -> str:
    if entry["damaged"]:
        return "damaged"
    if not entry["has_record"]:
        return NO_RECORD
    return "good" if entry["complete"] else "good, partial"


def _shown(chosen: argparse.Namespace) -> tuple[StoredCheckpoint, list[Path]]:
    """Returns the checkpoint to show, and those of its files with values that are not there."""
    try:
        return found(chosen), []
    except CheckpointError:
        checkpoint = found(chosen, allow_damaged=True)
        if missing := analysis.missing_files(checkpoint):
            return checkpoint, missing
        raise


def _show(chosen: argparse.Namespace) -> Answer:
    checkpoint, missing = _shown(chosen)
    variables = analysis.variables_of(checkpoint)
    record, meta = checkpoint.record, find_meta(checkpoint)
    data = {
        "checkpoint": checkpoint.prefix,
        "epoch": record.epoch if record else None,
        "global_step": record.global_step if record else None,
        "has_record": record is not None,
        "has_meta": meta is not None,
        "meta": meta,
        "missing": missing,
        "variables": [asdict(each) for each in variables],
        "parameters": _parameters(variables),
    }
    position = f"epoch {record.epoch}, step {record.global_step:,}" if record else NO_RECORD
    gone = f"; without values: {', '.join(path.name for path in missing)} not there" if missing else ""
    return Answer(data, f"{checkpoint.prefix} ({position}{gone})\n\n{_variables_text(variables)}")


def _parameters(variables: Sequence[analysis.Variable]) -> dict[str, int | None]:
    known = any(each.trainable is not None for each in variables)
    return {
        "trainable": sum(each.parameters for each in variables if each.trainable) if known else None,
        "model": sum(each.parameters for each in variables if not each.of_optimizer),
        "optimizer": sum(each.parameters for each in variables if each.of_optimizer),
    }


def _variables_text(variables: Sequence[analysis.Variable]) -> str:
    headers = ["variable", "type", "shape", "size", "mean", "norm", "trainable"]
    parts = []
    for title, of_optimizer in (("model", False), ("optimizer", True)):
        rows = [
            [each.name, each.dtype, each.shape, format_size(each.size), each.mean, each.norm, each.trainable]
            for each in variables
            if each.of_optimizer == of_optimizer
        ]
        if rows:
            parts.append(table(rows, [title, *headers[1:]], left=2))
    total = _parameters(variables)
    trainable = (
        f"{total['trainable']:,} trainable" if total["trainable"] is not None else "trainable not known: no .meta"
    )
    size = format_size(sum(each.size for each in variables))
    parts.append(f"parameters: {total['model']:,} ({trainable}), the optimizer's {total['optimizer']:,}; {size} in all")
    return "\n\n".join(parts)


def _diff(chosen: argparse.Namespace) -> Answer:
    a, b = resolve_checkpoint(chosen.a), resolve_checkpoint(chosen.b)
    result = checkpoints.compare(a, b)
    data = {
        "a": a.prefix,
        "b": b.prefix,
        "differences": [
            {**asdict(each), "a": each.a and str(each.a), "b": each.b and str(each.b)} for each in result.differences
        ],
        "same": result.same,
        "unread": result.unread,
    }
    rows = [
        [each.name, str(each.a or "-"), str(each.b or "-"), each.absolute, each.relative] for each in result.differences
    ]
    lines = [table(rows, ["variable", a.name, b.name, "largest change", "relative"], left=3)] if rows else []
    lines.append(f"{len(rows)} differ, {len(result.same)} are the same bit for bit")
    if result.unread:
        lines.append(f"not compared, the state of a data pipeline: {', '.join(result.unread)}")
    return Answer(data, "\n".join(lines), int(bool(rows)))


def _verify(chosen: argparse.Namespace) -> Answer:
    catalog: Catalog | None = None
    if chosen.path.is_dir():
        catalog = read_catalog(chosen.path)
        found_there: Sequence[StoredCheckpoint] = catalog.checkpoints
    else:
        found_there = [resolve_checkpoint(chosen.path, allow_damaged=True)]
    problems = _read_all(found_there)
    graphs = {each.name: analysis.note_on_graph(each) for each in found_there}
    rows = [[each.name, _verdict(each, problems[each.name], graphs[each.name])] for each in found_there]
    if catalog is not None and (of_list := analysis.state_file_problems(catalog)):
        problems["checkpoint"] = of_list
        rows.append(["checkpoint", "damaged"])
    notes = [problem for each in problems.values() for problem in each]
    text = "\n".join([table(rows, ["name", "verdict"], left=2), *notes])
    data = {
        "problems": problems,
        "damaged": bool(notes),
        "graphs": {name: note for name, note in graphs.items() if note},
    }
    return Answer(data, text, int(bool(notes)))


def _verdict(checkpoint: StoredCheckpoint, problems: list[str], graph: str) -> str:
    if problems:
        return "damaged"
    checked = "checksums and every tensor" if checkpoint.record else f"every tensor; {NO_RECORD} to compare with"
    return f"good: {checked}{'; ' if graph else ''}{graph}"
