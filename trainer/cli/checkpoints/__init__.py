"""Commands on checkpoints (``graph-trainer checkpoints``, ``scripts/checkpoints``): inspect, retain, export."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.cli.checkpoints import export, inspect, retention
from trainer.cli.command import Tool

DESCRIPTION = """Tools for checkpoints of this trainer or of a plain tf.compat.v1.train.Saver.

A CHECKPOINT is a prefix (.../model-300) or any file of it; or a run, a directory of checkpoints or a directory of
runs, for the newest good checkpoint in it; or one of these directories with @WHICH: DIRECTORY@300,
DIRECTORY@model-300, DIRECTORY@last, DIRECTORY@best."""


def main(arguments: Sequence[str] | None = None, prog: str = "scripts/checkpoints") -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: Words after the name of the program, or None for those of this process.
        prog: Name of the program, for usage lines.
    """
    tool = Tool(prog, DESCRIPTION)
    for family in (inspect, retention, export):
        family.add_commands(tool)
    return tool.main(arguments)
