"""Commands ``average``, ``freeze`` and ``export``: new files from checkpoints."""

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
from trainer.cli.assemble import keras_parts_of, parts_of
from trainer.cli.checkpoints.inspect import add_checkpoint, found
from trainer.cli.command import Answer, Tool, path_argument
from trainer.cli.input_values import parse_arrays, parse_feeds
from trainer.cli.models.arguments import add_feeds
from trainer.errors import RequestError
from trainer.files import format_size
from trainer.runs.lock import RunLock
from trainer.tensorflow_import import import_tensorflow

log = logging.getLogger(__name__)

SAVED_MODEL, KERAS = FORMATS = ("saved_model", "keras")
"""Formats of ``export --to``; anything else is a directory, as for ``-o``."""


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    each = tool.command("average", "write the mean of several checkpoints' weights as a new checkpoint", _average)
    each.add_argument(
        "checkpoints",
        metavar="CHECKPOINT",
        type=path_argument,
        nargs="+",
        help="two or more checkpoints; the last provides all values but the weights",
    )
    each.add_argument(
        "--to", metavar="PREFIX", type=path_argument, required=True, help="prefix of the new files, such as mean/model"
    )
    each = tool.command("freeze", "write graph and weights of a checkpoint as one .pb", _freeze)
    _add_export(each)
    each.add_argument(
        "-o",
        "--to",
        metavar="FILE.pb",
        type=path_argument,
        help="file to write; by default in export/frozen of the run",
    )
    each = tool.command("export", "write a checkpoint as a SavedModel, or as Keras's own files", _export)
    _add_export(each)
    each.add_argument("--tags", nargs="+", default=["serve"], help="tags of the meta graph; by default serve")
    each.add_argument(
        "--to",
        metavar="FORMAT",
        help=f"{' or '.join(FORMATS)}; keras: the .weights.h5 and .keras of a run of model=keras",
    )
    each.add_argument(
        "-o",
        dest="directory",
        metavar="DIR",
        type=path_argument,
        help="directory of Keras's files, or parent of the SavedModel's, which the checkpoint's number names",
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument("--outputs", metavar="NODE", nargs="+", help="output nodes; by default the model's outputs")
    add_feeds(parser)
    parser.add_argument(
        "--input", metavar="NAME=FILE.npy", action="append", default=[], help="batch to check the export with"
    )
    parser.add_argument(
        "--weights",
        choices=("averaged", "trained"),
        help="averages that the optimizer kept, or trained weights; by default averages where there are any",
    )
    parser.add_argument(
        "--trust", action="store_true", help="write it even if it reads or writes files, uses a network or runs Python"
    )
    parser.add_argument(
        "--allow",
        metavar="MODULE",
        nargs="+",
        default=[],
        help="installed modules that the run's config may name, besides those of this trainer, Keras and TensorFlow",
    )
    parser.add_argument(
        "--from-config", action="store_true", help="build the graph from the run's config.yaml, not from the .meta"
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
    return Answer(data, f"{made.prefix}: mean of {len(averaged)} checkpoints, {record}")


def _freeze(chosen: argparse.Namespace) -> Answer:
    checkpoint = found(chosen)
    example = parse_arrays(chosen.input)
    import_tensorflow()
    parts = _parts(chosen, checkpoint)
    feeds = parse_feeds(chosen.feed)
    made = export.freeze_checkpoint(
        checkpoint, chosen.to, chosen.outputs, example, parts, chosen.weights, chosen.trust, feeds
    )
    return _made(made, checkpoint, made.stat().st_size)


def _export(chosen: argparse.Namespace) -> Answer:
    checkpoint = found(chosen)
    if chosen.to == KERAS:
        return _export_keras(chosen, checkpoint)
    directory = chosen.directory or (None if chosen.to in (None, SAVED_MODEL) else path_argument(chosen.to))
    example = parse_arrays(chosen.input)
    import_tensorflow()
    parts = _parts(chosen, checkpoint)
    made = export.export_checkpoint(
        checkpoint,
        directory,
        chosen.tags,
        chosen.outputs,
        example,
        parts,
        chosen.weights,
        chosen.trust,
        parse_feeds(chosen.feed),
    )
    return _made(made, checkpoint, sum(path.stat().st_size for path in made.rglob("*") if path.is_file()))


def _export_keras(chosen: argparse.Namespace, checkpoint: StoredCheckpoint) -> Answer:
    run = run_of(checkpoint)
    if run is None:
        raise RequestError(f"{checkpoint.prefix} belongs to no run, so there is no config to build the net from")
    if useless := [flag for flag, value in (("--outputs", chosen.outputs), ("--input", chosen.input)) if value]:
        raise RequestError(f"{useless[0]} is for a SavedModel; Keras's files hold the whole net")
    import_tensorflow()
    made = export.export_keras(
        checkpoint, export.KerasParts(*keras_parts_of(run.path, chosen.allow)), chosen.directory, chosen.weights
    )
    for path in made:
        _tell_run(path, checkpoint)
    lines = [f"{path} ({format_size(path.stat().st_size)}) from {checkpoint.prefix}, read back" for path in made]
    return Answer({"files": made, "checkpoint": checkpoint.prefix}, "\n".join(lines))


def _parts(chosen: argparse.Namespace, checkpoint: StoredCheckpoint) -> export.MakeParts | None:
    """Returns the function that builds the graph from the run's config; None if the ``.meta`` is used."""
    run = run_of(checkpoint)
    if chosen.from_config and run is None:
        raise RequestError(f"{checkpoint.prefix} belongs to no run, so there is no config to build the graph from")
    if run is None or (find_meta(checkpoint) and not chosen.from_config):
        return None
    return lambda: parts_of(run.path, chosen.allow)


def _made(path: Path, checkpoint: StoredCheckpoint, size: int) -> Answer:
    _tell_run(path, checkpoint)
    data: dict[str, Any] = {"file": path, "checkpoint": checkpoint.prefix, "size": size}
    return Answer(data, f"{path} ({format_size(size)}) from {checkpoint.prefix}, read back and compared")


def _tell_run(path: Path, checkpoint: StoredCheckpoint) -> None:
    """Adds an export inside the run's directory to its run.json; while the run is going on, only warns."""
    run = run_of(checkpoint)
    if run is None or run.path.absolute() not in path.absolute().parents:
        return
    try:
        with RunLock(run.lock_file):
            run.add_export(run.path / path.absolute().relative_to(run.path.absolute()))
    except RequestError as error:
        log.warning("this export is not in run.json: %s", error)
