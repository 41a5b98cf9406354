"""``scripts/models``: what is in a model, what it gives, what it looks like, and copies for other runtimes."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.cli.command import Tool
from trainer.cli.models import convert, inspect, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    tool = Tool("scripts/models", "Tools for models, whoever wrote them.")
    for family in (inspect, run, convert):
        family.add_commands(tool)
    return tool.main(arguments)
