"""``run``, ``compare``: outputs of one model, and differences between two."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from trainer import convert, predict
from trainer.cli.command import Answer, Tool, path_argument
from trainer.cli.input_values import parse_feeds, parse_inputs
from trainer.cli.models.arguments import ANY, add_choice, add_command, add_feeds, add_seed, add_trust
from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.files import write_atomically
from trainer.graphdef.graph_file import read_graph
from trainer.graphdef.traverse import node_of
from trainer.predict.compare import OutputDifference, compare_predictors, completed_batch
from trainer.predict.formats import detect_format
from trainer.predict.predictor import Predictor

INPUT_HELP = "NAME=1,2,3 or NAME=[[1,2],[3,4]] or NAME=@FILE.npy or @FILE.npz; may be repeated"


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    each = add_command(tool, "run", "compute the outputs of a model", _run, f"{ANY}, a .tflite or an .onnx")
    add_choice(each)
    add_feeds(each)
    each.add_argument("--input", action="append", default=[], metavar="NAME=VALUES", help=INPUT_HELP)
    add_trust(each)
    each.add_argument("--save", type=path_argument, metavar="FILE.npz", help="file for the outputs")
    each = add_command(tool, "compare", "compare two models on one batch", _compare, "reference model")
    each.add_argument("second", type=path_argument, metavar="SECOND", help="model to compare with it")
    add_choice(each)
    add_feeds(each)
    each.add_argument("--input", action="append", default=[], metavar="NAME=VALUES", help=INPUT_HELP)
    add_seed(each)
    add_trust(each)
    each.add_argument(
        "--tolerance", type=float, default=1e-5, help="absolute and relative tolerance (default: %(default)s)"
    )


def _open(file: Path, chosen: argparse.Namespace, *, one_of_two: bool = False) -> Predictor:
    """Opens a model of any format; with ``one_of_two``, options that its format lacks are ignored."""
    if file.suffix in (".tflite", ".onnx"):
        if not one_of_two and (chosen.output or chosen.tags or chosen.signature or chosen.feed):
            raise RequestError(
                f"{file} computes all its outputs; --output, --feed, --tags and --signature are for other formats"
            )
        return convert.open_tflite(file) if file.suffix == ".tflite" else convert.open_onnx(file)
    tags, signature, feeds = chosen.tags, chosen.signature, parse_feeds(chosen.feed)
    kind = detect_format(file)[0]
    if one_of_two and kind == "saved_model":
        feeds = None
    elif one_of_two:
        tags = signature = None
        feeds = _in_file(feeds, file) if kind == "frozen" else feeds
    return predict.open_predictor(file, chosen.output, feeds, tags, signature, trust=chosen.trust)


def _in_file(feeds: Mapping[str, str] | None, file: Path) -> dict[str, str]:
    """Returns the feeds whose node a frozen graph has: an export has an input in the place of it."""
    nodes = {node.name for node in read_graph(file).node} if feeds else set()
    return {name: tensor for name, tensor in (feeds or {}).items() if node_of(tensor) in nodes}


def _run(chosen: argparse.Namespace) -> Answer:
    with _open(chosen.file, chosen) as predictor:
        results = predictor(**parse_inputs(chosen.input, predictor.inputs))
    if chosen.save:
        content = io.BytesIO()
        np.savez(content, **dict[str, Any]({name: _without_objects(value) for name, value in results.items()}))
        write_atomically(chosen.save, content.getvalue())
    shown = (f"{name} {_dtype(value)} {list(value.shape)}\n{_readable(value)}" for name, value in results.items())
    return Answer({name: value.tolist() for name, value in results.items()}, "\n\n".join(shown))


def _dtype(value: Array) -> str:
    return "string" if value.dtype == object else str(value.dtype)


def _readable(value: Array) -> Array:
    """Returns an array with strings in the place of bytes that are text."""

    def text(each: Any) -> Any:
        try:
            return each.decode() if isinstance(each, bytes) else each
        except UnicodeDecodeError:
            return each

    return np.asarray(np.frompyfunc(text, 1, 1)(value), object) if value.dtype == object else value


def _without_objects(value: Array) -> Array:
    """Returns an array that NumPy stores without a pickle: texts, or bytes where one of them is no text."""
    if value.dtype != object:
        return value
    readable = _readable(value)
    is_text = all(isinstance(each, str) for each in readable.flat)
    return readable.astype(str) if is_text else value.astype(bytes)


def _compare(chosen: argparse.Namespace) -> Answer:
    opened = [_open(file, chosen, one_of_two=True) for file in (chosen.file, chosen.second)]
    with opened[0] as first, opened[1] as second:
        typed = parse_inputs(chosen.input, first.inputs)
        batch = completed_batch(typed, first.inputs, chosen.seed)
        found = compare_predictors(first, second, batch, chosen.tolerance)
        alone = sorted(set(first.outputs) ^ set(second.outputs))
    same = all(each.same for each in found)
    note = f"\nin one of them only: {', '.join(alone)}" if alone else ""
    on = "" if typed.keys() == batch.keys() else f", random inputs of seed {chosen.seed}"
    verdict = "the same" if same else "DIFFERENT"
    data = {"same": same, "outputs": [asdict(each) for each in found], "in_one_only": alone}
    text = f"{differences_table(found)}\n{verdict} within {chosen.tolerance:g}{on}{note}"
    return Answer(data, text, int(not same))


def differences_table(found: Sequence[OutputDifference], steps: Mapping[str, float] | None = None) -> str:
    """Returns a table with a row for each output.

    Args:
        found: Difference of each output.
        steps: Quantisation step of each int8 output by name; None or empty for no such column.
    """
    rows = [
        [each.output, list(each.shape), each.absolute, each.relative, f"{100 * (each.of_range or 0):.2g} %"]
        + ([steps.get(each.output)] if steps else [])
        for each in found
    ]
    headers = ["output", "shape", "largest difference", "relative", "of its range", *(["int8 step"] if steps else [])]
    return tabulate(rows, headers=headers, floatfmt=".3g", missingval="-")
