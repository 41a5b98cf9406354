"""Workers in separate processes, and medians of their figures."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

Figures = dict[str, float]


def in_a_process(what: str, **options: Any) -> Figures:
    """Returns the figures of a worker in a new process.

    Args:
        what: Name of the worker.
        options: Its arguments.
    """
    command = [sys.executable, "-m", "benchmarks", "--worker", what, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        sys.exit(f"{what} {options} failed:\n{done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.split("FIGURES")[-1])
    return figures


def medians(measured: list[Figures]) -> Figures:
    """Returns the median of each figure."""
    return {name: statistics.median(each[name] for each in measured) for name in measured[0]}
