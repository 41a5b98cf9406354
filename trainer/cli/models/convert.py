"""``convert``: converts a model for another runtime."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from trainer import convert
from trainer.checks import check_optional_int
from trainer.cli.command import Answer, Tool, path_argument
from trainer.cli.input_values import parse_arrays, read_arrays
from trainer.cli.models.arguments import add_command, add_seed
from trainer.cli.models.run import differences_table
from trainer.errors import RequestError
from trainer.files import format_size


def add_commands(tool: Tool) -> None:
    """Adds the command to a command line."""
    each = add_command(
        tool, "convert", "convert for another runtime, checked against the .pb", _convert, "a frozen .pb"
    )
    each.add_argument("--to", choices=("tflite", "onnx"), required=True)
    each.add_argument(
        "-o", dest="target", type=path_argument, metavar="FILE", help="file to write (default: beside the .pb)"
    )
    each.add_argument("--output", action="append", metavar="NODE", help="node to compute (default: the manifest's)")
    each.add_argument("--int8", action="store_true", help="tflite only: integer arithmetic; needs --representative")
    each.add_argument(
        "--fixed-batch",
        type=int,
        metavar="N",
        help="tflite only: examples that a call takes (default: any; 1 for recurrent nets, which need a fixed one)",
    )
    each.add_argument(
        "--select-tf-ops",
        action="store_true",
        help="tflite only: for a runtime with TensorFlow's own ops, so that a recurrent net takes any batch",
    )
    each.add_argument("--representative", type=path_argument, metavar="FILE.npz", help="examples by input, for --int8")
    each.add_argument(
        "--batch", type=path_argument, metavar="FILE.npz", help="batch to check on (default: random values)"
    )
    each.add_argument(
        "--input", action="append", default=[], metavar="NAME=VALUE", help="values to check on, or a flag: keep_prob=1"
    )
    add_seed(each)


def _convert(chosen: argparse.Namespace) -> Answer:
    if chosen.file.is_dir():
        raise RequestError(f"{chosen.file} is a directory; name a frozen .pb, such as a run's export/frozen/model.pb")
    if chosen.int8 != (chosen.representative is not None):
        raise RequestError("--int8 and --representative FILE.npz go together: the file sets the integers' ranges")
    if chosen.int8 and chosen.to == "onnx":
        raise RequestError("--int8 is for --to tflite only")
    if chosen.to == "onnx" and (chosen.fixed_batch is not None or chosen.select_tf_ops):
        raise RequestError("--fixed-batch and --select-tf-ops are for --to tflite only")
    fixed_batch = check_optional_int("--fixed-batch", chosen.fixed_batch, 1)
    suffix = f"-int8.{chosen.to}" if chosen.int8 else f".{chosen.to}"
    target = chosen.target or chosen.file.with_name(f"{chosen.file.stem}{suffix}")
    common: dict[str, Any] = {"outputs": chosen.output, "seed": chosen.seed}
    given = {**(read_arrays(chosen.batch) if chosen.batch else {}), **parse_arrays(chosen.input)}
    common["batch"] = given or None
    if chosen.to == "onnx":
        done = convert.convert_to_onnx(chosen.file, target, **common)
    else:
        data = read_arrays(chosen.representative) if chosen.representative else None
        done = convert.convert_to_tflite(
            chosen.file,
            target,
            representative=data,
            fixed_batch=fixed_batch,
            select_tf_ops=chosen.select_tf_ops,
            **common,
        )
    compared = f"against {chosen.file} on {done.examples} examples:\n{differences_table(done.differences, done.steps)}"
    notes = [done.note, compared] if done.differences else [done.note]
    text = "\n".join([f"{done.path} {format_size(done.size)}", *filter(None, notes)])
    return Answer(asdict(done), text)
