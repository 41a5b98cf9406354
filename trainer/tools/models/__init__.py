"""``scripts/models``: what is in a model, what it gives, what it looks like, and copies for other runtimes."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.tools.command import Tool
from trainer.tools.models import convert, look, use


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    tool = Tool("scripts/models", "Tools for models, whoever wrote them.")
    for family in (look, use, convert):
        family.add_commands(tool)
    return tool.main(arguments)
