"""``average``, ``freeze``, ``export``: something new is made of checkpoints."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from trainer import checkpoints, export
from trainer.checkpoints.catalog import run_of
from trainer.checkpoints.meta_graph import find_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.cli.assemble import parts_of
from trainer.cli.checkpoints.inspect import add_checkpoint, found
from trainer.cli.command import Answer, Tool
from trainer.cli.input_values import parse_arrays
from trainer.errors import RequestError
from trainer.files import format_size
from trainer.runs.lock import RunLock
from trainer.tensorflow_import import import_tensorflow

log = logging.getLogger(__name__)


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    each = tool.command("average", "the mean of the weights of several checkpoints, as a new one", _average)
    each.add_argument(
        "checkpoints", metavar="CHECKPOINT", nargs="+", help="two or more; the last gives all but weights"
    )
    each.add_argument("--to", metavar="PREFIX", type=Path, required=True, help="of the new files, such as mean/model")
    each = tool.command("freeze", "graph and weights of a checkpoint as one .pb", _freeze)
    _add_export(each)
    each.add_argument("-o", "--to", metavar="FILE.pb", type=Path, help="by default in export/frozen of the run")
    each = tool.command("export", "a checkpoint as a SavedModel", _export)
    _add_export(each)
    each.add_argument("--tags", nargs="+", default=["serve"], help="of the meta graph; serve by default")
    each.add_argument("-o", "--to", metavar="DIR", type=Path, help="gets a directory named by the checkpoint's number")


def _add_export(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument("--outputs", metavar="NODE", nargs="+", help="by default the model's outputs")
    parser.add_argument(
        "--input", metavar="NAME=FILE.npy", action="append", default=[], help="a batch to check the file with"
    )
    parser.add_argument(
        "--from-config", action="store_true", help="build the graph by the run's config.yaml instead of the .meta"
    )


def _average(chosen: argparse.Namespace) -> Answer:
    averaged = [resolve_checkpoint(each) for each in chosen.checkpoints]
    import_tensorflow()
    made = checkpoints.average(averaged, chosen.to)
    data = {
        "checkpoint": made.prefix,
        "of": [each.prefix for each in averaged],
        "has_record": made.record is not None,
    }
    record = "with a commit record" if made.record else "without a commit record, as not all of them have one"
    return Answer(data, f"{made.prefix}: the mean of {len(averaged)} checkpoints, {record}")


def _freeze(chosen: argparse.Namespace) -> Answer:
    checkpoint = found(chosen)
    example = parse_arrays(chosen.input)
    import_tensorflow()
    made = export.freeze_checkpoint(checkpoint, chosen.to, chosen.outputs, example, _parts(chosen, checkpoint))
    return _made(made, checkpoint, made.stat().st_size)


def _export(chosen: argparse.Namespace) -> Answer:
    checkpoint = found(chosen)
    example = parse_arrays(chosen.input)
    import_tensorflow()
    parts = _parts(chosen, checkpoint)
    made = export.export_checkpoint(checkpoint, chosen.to, chosen.tags, chosen.outputs, example, parts)
    return _made(made, checkpoint, sum(path.stat().st_size for path in made.rglob("*") if path.is_file()))


def _parts(chosen: argparse.Namespace, checkpoint: StoredCheckpoint) -> export.MakeParts | None:
    """Returns what builds the graph by the run's config, where that is wanted or there is no other way."""
    run = run_of(checkpoint)
    if chosen.from_config and run is None:
        raise RequestError(f"{checkpoint.prefix} belongs to no run, so there is no config to build the graph by")
    if run is None or (find_meta(checkpoint) and not chosen.from_config):
        return None
    return lambda: parts_of(run.path)


def _made(path: Path, checkpoint: StoredCheckpoint, size: int) -> Answer:
    _tell_run(path, checkpoint)
    data: dict[str, Any] = {"file": path, "checkpoint": checkpoint.prefix, "size": size}
    return Answer(data, f"{path} ({format_size(size)}) from {checkpoint.prefix}, read back and compared")


def _tell_run(path: Path, checkpoint: StoredCheckpoint) -> None:
    """Names an export inside the run's directory in its run.json, unless the run is going on and writes it itself."""
    run = run_of(checkpoint)
    if run is None or run.path.absolute() not in path.absolute().parents:
        return
    try:
        with RunLock(run.lock_file):
            run.add_export(run.path / path.absolute().relative_to(run.path.absolute()))
    except RequestError as error:
        log.warning("run.json does not name this export: %s", error)
