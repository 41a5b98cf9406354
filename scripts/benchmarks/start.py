"""Start-up times."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from benchmarks.processes import Figures, medians

COMMANDS = {
    "help": ["-m", "trainer", "--help"],
    "import_hydra": ["-c", "import hydra, hydra._internal.utils"],
    "import_tensorflow": ["-c", "import tensorflow"],
    "one_epoch": ["-m", "trainer", "+experiment=linear", "loop.epochs=1", "run.root=."],
}


def start_up(rounds: int) -> Figures:
    """Returns the seconds of each command as a whole process; the commands take turns."""
    with tempfile.TemporaryDirectory() as folder:
        return medians([{name: secs(command, folder) for name, command in COMMANDS.items()} for _ in range(rounds)])


def secs(arguments: list[str], directory: str) -> float:
    """Returns the seconds of a Python process.

    Args:
        arguments: Arguments of Python.
        directory: Working directory.
    """
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=directory, capture_output=True, check=True)
    return time.perf_counter() - began
