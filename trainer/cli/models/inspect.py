"""``show``, ``graph``: summary and picture of a model, which is not run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from tabulate import tabulate

from trainer import inspection
from trainer.checks import check_optional_int
from trainer.cli.command import Answer, Tool, path_argument
from trainer.cli.models.arguments import ANY, add_choice, add_command
from trainer.files import format_size, write_atomically
from trainer.predict.tensor_info import TensorInfo

MAX_OP_TYPES = 12
"""Maximum number of rows in the table of ops; --json has all."""


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    each = add_command(
        tool, "show", "show inputs, outputs, signatures, ops, size and parameters", _show, f"{ANY}, or a .meta"
    )
    add_choice(each)
    each = add_command(tool, "graph", "draw the inference part as SVG", _graph, f"{ANY}, or a .meta")
    add_choice(each)
    each.add_argument(
        "-o", dest="target", type=path_argument, metavar="FILE.svg", help="file to write (default: the model's name)"
    )
    each.add_argument("--depth", type=int, help="levels of name scopes to open (default: up to 60 boxes)")


def _show(chosen: argparse.Namespace) -> Answer:
    found = inspection.summarize(inspection.read_model(chosen.file, chosen.output, chosen.tags, chosen.signature))
    rows = []
    if not found.signatures:
        rows = [*_tensor_rows("input", found.inputs), *_tensor_rows("output", found.outputs)]
    for name, (inputs, outputs) in found.signatures.items():
        rows += [*_tensor_rows(f"{name} input", inputs), *_tensor_rows(f"{name} output", outputs)]
    ops = [[op, found.inference_ops.get(op, 0), count] for op, count in found.ops.items()]
    ops.sort(key=lambda row: row[1:], reverse=True)
    more = f"\nand {len(ops) - MAX_OP_TYPES} more types" if len(ops) > MAX_OP_TYPES else ""
    tags = "".join(f", tags {' '.join(tags)}" for tags in found.tag_sets)
    text = (
        f"{found.path}: {found.format}{tags}, {format_size(found.size)}, {found.parameters:,} parameters\n\n"
        f"{tabulate(rows, headers=['', 'name', 'tensor', 'type'])}\n\n"
        f"{tabulate(ops[:MAX_OP_TYPES], headers=['op', 'inference', 'whole graph'])}{more}"
    )
    return Answer(found.to_json(), text)


def _tensor_rows(kind: str, infos: Mapping[str, TensorInfo]) -> list[list[str]]:
    optional = {True: " (has a default)", False: ""}
    return [[kind, name, info.tensor, f"{info}{optional[info.optional]}"] for name, info in infos.items()]


def _graph(chosen: argparse.Namespace) -> Answer:
    depth = check_optional_int("--depth", chosen.depth, 0)
    picture = inspection.draw(inspection.read_model(chosen.file, chosen.output, chosen.tags, chosen.signature), depth)
    target = chosen.target or Path(f"{chosen.file.absolute().name.removesuffix('.pb')}.svg")
    write_atomically(target, picture)
    size = len(picture.encode())
    return Answer({"file": target, "size": size}, f"{target} {format_size(size)}")
