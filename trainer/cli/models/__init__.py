"""``graph-trainer models``, ``scripts/models``: shows, draws, runs, compares and converts models."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.cli.command import Tool
from trainer.cli.models import convert, inspect, run


def main(arguments: Sequence[str] | None = None, prog: str = "scripts/models") -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: Arguments after the name of the program; None for those of this process.
        prog: Name of the program, for usage lines.
    """
    tool = Tool(prog, "Tools for models from a run or from any graph-mode code.")
    for family in (inspect, run, convert):
        family.add_commands(tool)
    return tool.main(arguments)
