"""Arguments that the commands of ``scripts/models`` share."""

from __future__ import annotations

import argparse

from trainer.cli.command import Answer, Run, Tool, path_argument
from trainer.tensorflow_import import import_tensorflow, stderr_kept_back

ANY = "a run, a checkpoint, a .pb, or a SavedModel's directory"


def add_command(tool: Tool, name: str, summary: str, run: Run, file: str) -> argparse.ArgumentParser:
    """Adds a command with a file as its first argument; it imports TensorFlow before it runs.

    Args:
        tool: Command line.
        name: Name of the command.
        summary: Help text of the command.
        run: Function that runs the command.
        file: Help text of the file argument.
    """

    def run_with_tensorflow(chosen: argparse.Namespace) -> Answer:
        import_tensorflow()
        with stderr_kept_back():
            return run(chosen)

    parser = tool.command(name, summary, run_with_tensorflow)
    parser.add_argument("file", type=path_argument, metavar="FILE", help=file)
    return parser


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that choose a part of a model."""
    parser.add_argument("--output", action="append", metavar="NODE", help="node to compute; may be repeated")
    parser.add_argument("--tags", nargs="+", help="tags of a SavedModel (default: serve)")
    parser.add_argument("--signature", help="signature of a SavedModel (default: serving_default)")


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that opens models which do more than compute."""
    parser.add_argument(
        "--trust", action="store_true", help="open it even if it reads or writes files, uses a network or runs Python"
    )


def add_feeds(parser: argparse.ArgumentParser) -> None:
    """Adds the tensors that are fed in the place of an input pipeline."""
    parser.add_argument(
        "--feed",
        action="append",
        default=[],
        metavar="[NAME=]TENSOR",
        help="tensor to feed in the place of what the graph would read by itself: a tf.data pipeline, a queue",
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Adds the seed of random inputs."""
    parser.add_argument("--seed", type=int, default=0, help="seed of random inputs (default: %(default)s)")
