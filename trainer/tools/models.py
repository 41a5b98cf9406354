"""``scripts/models``: what is in a model, what it gives, what it looks like, and copies for other runtimes."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from trainer.errors import DamagedError, RequestError, TrainerError, describe
from trainer.files import size_for_people, write_atomically
from trainer.tools.command import as_json

if TYPE_CHECKING:
    from trainer.predict.compare import Difference
    from trainer.predict.predictor import Predictor
    from trainer.predict.tensors import TensorInfo

ANY = "a run, a checkpoint, a .pb, or a SavedModel's directory"
SAME, DIFFERENT = 0, 1
MOST_OP_TYPES = 12
"""Rows of a table; --json has all."""

INPUT_HELP = "NAME=1,2,3 or NAME=[[1,2],[3,4]] or NAME=@FILE.npy or @FILE.npz; may be given for each input"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code: 1 for damaged or different, 2 for a wrong request."""
    chosen = make_parser().parse_args(arguments)
    try:
        from trainer.startup import import_tensorflow, stderr_kept_back

        import_tensorflow()
        with stderr_kept_back():
            text, code = chosen.run(chosen)
    except DamagedError as error:
        return _refuse(error, 1)
    except TrainerError as error:
        return _refuse(error, error.exit_code)
    except (ValueError, TypeError, OSError) as error:
        return _refuse(error, 2)
    sys.stdout.write(f"{text}\n")
    return int(code)


def _refuse(error: Exception, code: int) -> int:
    sys.stderr.write(f"error: {describe(error)}\n")
    return code


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    parser = argparse.ArgumentParser(prog="scripts/models", description="Tools for models, whoever wrote them.")
    commands = parser.add_subparsers(dest="command", required=True)
    show = _add(commands, "show", _show, "inputs, outputs, signatures, ops, size and parameters", f"{ANY}, or a .meta")
    _add_choice(show)
    run = _add(commands, "run", _run, "what a model gives for some inputs", f"{ANY}, a .tflite or an .onnx")
    _add_choice(run)
    run.add_argument("--input", action="append", default=[], metavar="NAME=VALUES", help=INPUT_HELP)
    run.add_argument("--save", type=Path, metavar="FILE.npz", help="write the outputs there")
    compare = _add(commands, "compare", _compare, "the largest differences of two models on one batch", "the reference")
    compare.add_argument("second", type=Path, metavar="SECOND", help="what is compared with it")
    _add_choice(compare)
    compare.add_argument("--input", action="append", default=[], metavar="NAME=VALUES", help=INPUT_HELP)
    _add_seed(compare)
    compare.add_argument("--tolerance", type=float, default=1e-5, help="absolute and relative (default: %(default)s)")
    graph = _add(commands, "graph", _graph, "an SVG picture of the inference part", f"{ANY}, or a .meta")
    _add_choice(graph)
    graph.add_argument("-o", dest="target", type=Path, metavar="FILE.svg", help="default: the model's name, here")
    graph.add_argument("--depth", type=int, help="how many levels of name scopes to open (default: as fits)")
    convert = _add(commands, "convert", _convert, "a copy for another runtime, checked against the .pb", "a frozen .pb")
    convert.add_argument("--to", choices=("tflite", "onnx"), required=True)
    convert.add_argument("-o", dest="target", type=Path, metavar="FILE", help="default: beside the .pb")
    convert.add_argument("--output", action="append", metavar="NODE", help="default: those of the manifest")
    convert.add_argument("--int8", action="store_true", help="tflite: integers alone; needs --representative")
    convert.add_argument("--representative", type=Path, metavar="FILE.npz", help="examples by input, for --int8")
    convert.add_argument("--batch", type=Path, metavar="FILE.npz", help="what to check on (default: random values)")
    _add_seed(convert)
    return parser


def _add(commands: Any, name: str, run: Any, what: str, file: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    parser.add_argument("file", type=Path, metavar="FILE", help=file)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    return parser


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", action="append", metavar="NODE", help="what to compute; may be repeated")
    parser.add_argument("--tags", nargs="+", help="of a SavedModel (default: serve)")
    parser.add_argument("--signature", help="of a SavedModel (default: serving_default)")


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="of random inputs (default: %(default)s)")


def _open(file: Path, chosen: argparse.Namespace, *, one_of_two: bool = False) -> Predictor:
    """Opens a file of any format; of two, an option is for those whose format knows it."""
    from trainer.convert.onnx import open_onnx
    from trainer.convert.tflite import open_tflite
    from trainer.predict.opening import open_predictor
    from trainer.predict.places import recognise

    if file.suffix in (".tflite", ".onnx"):
        if not one_of_two and (chosen.output or chosen.tags or chosen.signature):
            raise RequestError(f"{file} gives all its outputs; --output, --tags and --signature are for other formats")
        return open_tflite(file) if file.suffix == ".tflite" else open_onnx(file)
    tags, signature = chosen.tags, chosen.signature
    if one_of_two and recognise(file)[0] != "saved_model":
        tags = signature = None
    return open_predictor(file, chosen.output, tags=tags, signature=signature)


def _show(chosen: argparse.Namespace) -> tuple[str, int]:
    from trainer.inspection.static import read_model
    from trainer.inspection.summary import summarize

    found = summarize(read_model(chosen.file, chosen.output, chosen.tags, chosen.signature))
    if chosen.json:
        return as_json(found.to_json()), SAME
    rows = []
    if not found.signatures:
        rows = [*_tensor_rows("input", found.inputs), *_tensor_rows("output", found.outputs)]
    for name, (inputs, outputs) in found.signatures.items():
        rows += [*_tensor_rows(f"{name} input", inputs), *_tensor_rows(f"{name} output", outputs)]
    ops = [[op, found.inference_ops.get(op, 0), count] for op, count in found.ops.items()]
    ops.sort(key=lambda row: row[1:], reverse=True)
    more = f"\nand {len(ops) - MOST_OP_TYPES} more types" if len(ops) > MOST_OP_TYPES else ""
    tags = "".join(f", tags {' '.join(tags)}" for tags in found.tag_sets)
    return (
        f"{found.path}: {found.format}{tags}, {size_for_people(found.size)}, {found.parameters:,} parameters\n\n"
        f"{tabulate(rows, headers=['', 'name', 'tensor', 'type'])}\n\n"
        f"{tabulate(ops[:MOST_OP_TYPES], headers=['op', 'inference', 'whole graph'])}{more}"
    ), SAME


def _tensor_rows(kind: str, infos: Mapping[str, TensorInfo]) -> list[list[str]]:
    optional = {True: " (has a default)", False: ""}
    return [[kind, name, info.tensor, f"{info}{optional[info.optional]}"] for name, info in infos.items()]


def _run(chosen: argparse.Namespace) -> tuple[str, int]:
    import numpy as np

    from trainer.tools.values import parse_inputs

    with _open(chosen.file, chosen) as predictor:
        results = predictor(**parse_inputs(chosen.input, predictor.inputs))
    if chosen.save:
        content = io.BytesIO()
        np.savez(content, **dict[str, Any](results))
        write_atomically(chosen.save, content.getvalue())
    if chosen.json:
        return as_json({name: value.tolist() for name, value in results.items()}), SAME
    shown = (f"{name} {value.dtype} {list(value.shape)}\n{value}" for name, value in results.items())
    return "\n\n".join(shown), SAME


def _compare(chosen: argparse.Namespace) -> tuple[str, int]:
    from trainer.predict.compare import compare, random_batch
    from trainer.tools.values import parse_inputs

    opened = [_open(file, chosen, one_of_two=True) for file in (chosen.file, chosen.second)]
    with opened[0] as first, opened[1] as second:
        typed = parse_inputs(chosen.input, first.inputs)
        batch = typed or random_batch(first.inputs, chosen.seed)
        found = compare(first, second, batch, chosen.tolerance)
        alone = sorted(set(first.outputs) ^ set(second.outputs))
    code = SAME if all(each.same for each in found) else DIFFERENT
    if chosen.json:
        return as_json({"same": code == SAME, "outputs": _differences(found), "in_one_only": alone}), code
    note = f"\nin one of them only: {', '.join(alone)}" if alone else ""
    on = "" if typed else f", random inputs of seed {chosen.seed}"
    verdict = "the same" if code == SAME else "DIFFERENT"
    return f"{_table(found)}\n{verdict} within {chosen.tolerance:g}{on}{note}", code


def _differences(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [asdict(each) for each in found]


def _table(found: Sequence[Difference], steps: Mapping[str, float] | None = None) -> str:
    rows = [
        [each.output, list(each.shape), each.absolute, each.relative, f"{100 * (each.of_range or 0):.2g} %"]
        + ([steps.get(each.output)] if steps else [])
        for each in found
    ]
    headers = ["output", "shape", "largest difference", "relative", "of its range", *(["int8 step"] if steps else [])]
    return tabulate(rows, headers=headers, floatfmt=".3g", missingval="-")


def _graph(chosen: argparse.Namespace) -> tuple[str, int]:
    from trainer.checks import check_optional_int
    from trainer.inspection.picture import draw
    from trainer.inspection.static import read_model

    depth = check_optional_int("--depth", chosen.depth, 0)
    picture = draw(read_model(chosen.file, chosen.output, chosen.tags, chosen.signature), depth)
    target = chosen.target or Path(f"{chosen.file.absolute().name.removesuffix('.pb')}.svg")
    write_atomically(target, picture)
    if chosen.json:
        return as_json({"file": str(target), "size": len(picture.encode())}), SAME
    return f"{target} {size_for_people(len(picture.encode()))}", SAME


def _convert(chosen: argparse.Namespace) -> tuple[str, int]:
    from trainer.convert.onnx import convert_to_onnx
    from trainer.convert.tflite import convert_to_tflite
    from trainer.tools.values import read_arrays

    if chosen.file.is_dir():
        raise RequestError(f"{chosen.file} is a directory; name a frozen .pb, such as a run's export/frozen/model.pb")
    if chosen.int8 != (chosen.representative is not None):
        raise RequestError("--int8 and --representative FILE.npz go together: the ranges of the integers come from it")
    if chosen.int8 and chosen.to == "onnx":
        raise RequestError("--int8 is of --to tflite")
    suffix = f"-int8.{chosen.to}" if chosen.int8 else f".{chosen.to}"
    target = chosen.target or chosen.file.with_name(f"{chosen.file.stem}{suffix}")
    common: dict[str, Any] = {"outputs": chosen.output, "seed": chosen.seed}
    common["batch"] = read_arrays(chosen.batch) if chosen.batch else None
    if chosen.to == "onnx":
        done = convert_to_onnx(chosen.file, target, **common)
    else:
        data = read_arrays(chosen.representative) if chosen.representative else None
        done = convert_to_tflite(chosen.file, target, representative=data, **common)
    if chosen.json:
        return as_json(asdict(done)), SAME
    table = _table(done.differences, done.steps)
    return (
        f"{done.path} {size_for_people(done.size)}\nagainst {chosen.file} on {done.examples} examples:\n{table}",
        SAME,
    )


if __name__ == "__main__":
    sys.exit(main())
