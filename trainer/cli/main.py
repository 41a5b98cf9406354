"""``graph-trainer`` and ``python -m trainer``: training, or a command named by the first argument."""

from __future__ import annotations

import sys
from importlib import import_module

from trainer.cli.program import import_from_working_directory, program_name
from trainer.cli.stdout import open_streams

COMMANDS = {
    "checkpoints": "trainer.cli.checkpoints",
    "models": "trainer.cli.models",
    "report": "trainer.cli.report",
    "runs": "trainer.cli.runs",
}
"""Module whose ``main`` runs a command, by the name of the command; only the chosen one is imported."""


def main() -> None:
    """Runs the command line and exits with its exit code."""
    open_streams()
    program, typed = program_name(), sys.argv[1:]
    is_command = bool(typed) and typed[0] in COMMANDS
    module = import_module(COMMANDS[typed[0]] if is_command else "trainer.cli.train")
    # After the program's own imports, so that a random.py in the working directory does not replace Python's.
    import_from_working_directory()
    if is_command:
        sys.exit(module.main(typed[1:], f"{program} {typed[0]}"))
    module.main(typed, program, tuple(COMMANDS))
