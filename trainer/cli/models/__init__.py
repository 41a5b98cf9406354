"""``graph-trainer models``, ``scripts/models``: what is in a model, what it gives, copies for other runtimes."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.cli.command import Tool
from trainer.cli.models import convert, inspect, run


def main(arguments: Sequence[str] | None = None, prog: str = "scripts/models") -> int:
    """Runs the command line; returns its exit code.

    Args:
        arguments: Words after the name of the program, or None for those of this process.
        prog: Name of the program, for usage lines.
    """
    tool = Tool(prog, "Tools for models, whoever wrote them.")
    for family in (inspect, run, convert):
        family.add_commands(tool)
    return tool.main(arguments)
