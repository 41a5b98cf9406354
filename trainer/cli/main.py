"""``graph-trainer`` and ``python -m trainer``: training, or a command named by the first argument."""

from __future__ import annotations

import sys
from importlib import import_module

from trainer.cli.program import import_from_working_directory, program_name

COMMANDS = {"checkpoints": "trainer.cli.checkpoints", "models": "trainer.cli.models"}
"""Module whose ``main`` runs a command, by the name of the command; only the chosen one is imported."""


def main() -> None:
    """Runs the command line and exits with its exit code."""
    program, typed = program_name(), sys.argv[1:]
    import_from_working_directory()
    if typed and typed[0] in COMMANDS:
        sys.exit(import_module(COMMANDS[typed[0]]).main(typed[1:], f"{program} {typed[0]}"))
    import_module("trainer.cli.train").main(typed, program, tuple(COMMANDS))
