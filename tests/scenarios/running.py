"""A trainer in a process of its own, to be signalled or watched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.processes import ROOT


def start(directory: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", "+experiment=digits_mlp", f"run.dir={directory}", "resume=auto", *args],
        cwd=directory.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Any, secs: float = 60.0) -> None:
    limit = time.monotonic() + secs
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def epochs_seen(directory: Path) -> int:
    path = directory / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


ENDLESS = ["loop.epochs=1000000", "callbacks.evaluate.every_n_epochs=1000", "callbacks.checkpoint.every_n_epochs=1000"]
