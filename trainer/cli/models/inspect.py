"""``show``, ``graph``: summary and picture of a model, which is not run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tabulate import tabulate

from trainer import convert, inspection
from trainer.checks import check_optional_int
from trainer.cli.command import Answer, Tool, path_argument
from trainer.cli.models.arguments import ANY, add_choice, add_command
from trainer.files import format_size, write_atomically
from trainer.inspection.static import OTHER_RUNTIMES
from trainer.predict.tensor_info import TensorInfo
from trainer.tensorflow_import import import_tensorflow, stderr_kept_back

FORMATS = {"graph": "graph with variables, not frozen"}
"""Words for a format that its name does not say."""

MAX_OP_TYPES = 12
"""Maximum number of rows in the table of ops; --json has all."""


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    each = tool.command("show", "show inputs, outputs, signatures, ops, size and parameters", _show)
    each.add_argument("file", type=path_argument, metavar="FILE", help=f"{ANY}, a .meta, .pbtxt, .tflite or .onnx")
    add_choice(each)
    each = add_command(tool, "graph", "draw the inference part as SVG", _graph, f"{ANY}, or a .meta")
    add_choice(each)
    each.add_argument(
        "-o", dest="target", type=path_argument, metavar="FILE.svg", help="file to write (default: the model's name)"
    )
    each.add_argument(
        "--depth", type=int, help="levels of name scopes to open, fewer if it is too wide (default: up to 60 boxes)"
    )


def _show(chosen: argparse.Namespace) -> Answer:
    if chosen.file.suffix in OTHER_RUNTIMES and chosen.file.is_file():
        return _show_for_another_runtime(chosen.file)
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
    likely = f"likely outputs: {', '.join(found.likely)}\n\n" if found.likely else ""
    text = (
        f"{found.path}: {FORMATS.get(found.format, found.format)}{tags}, {format_size(found.size)}, "
        f"{found.parameters:,} parameters\n\n"
        f"{tabulate(rows, headers=['', 'name', 'tensor', 'type'])}\n\n{likely}"
        f"{tabulate(ops[:MAX_OP_TYPES], headers=['op', 'inference', 'whole graph'])}{more}"
    )
    return Answer(found.to_json(), text)


def _show_for_another_runtime(file: Path) -> Answer:
    import_tensorflow()
    with (
        stderr_kept_back(),
        convert.open_tflite(file) if file.suffix == ".tflite" else convert.open_onnx(file) as model,
    ):
        inputs, outputs = model.inputs, model.outputs
    size = file.stat().st_size
    data = {"path": file, "format": file.suffix[1:], "size": size}
    data |= {"inputs": {name: asdict(info) for name, info in inputs.items()}}
    data |= {"outputs": {name: asdict(info) for name, info in outputs.items()}}
    rows = [*_tensor_rows("input", inputs), *_tensor_rows("output", outputs)]
    table = tabulate(rows, headers=["", "name", "tensor", "type"])
    return Answer(data, f"{file}: {file.suffix[1:]}, {format_size(size)}\n\n{table}")


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
