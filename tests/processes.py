"""Python in separate processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def python(*args: str, cwd: Path, ours: bool = True, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a separate process; without ``ours`` this project cannot be imported."""
    surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TERM")}
    if ours:
        surroundings["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env={**surroundings, **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
    )
