"""Python in separate processes."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

STILL = re.compile(r"^still .* \(\d+ s\)\n", re.MULTILINE)


def python(*args: str, cwd: Path, ours: bool = True, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a separate process; without ``ours`` this project cannot be imported.

    Lines that tell of work that lasts are left out of the output, as a busy machine has more of them.
    """
    surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TERM")}
    if ours:
        surroundings["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env={**surroundings, **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
    )
    done.stdout = STILL.sub("", done.stdout)
    return done


def processor_secs(*args: str, **options: Any) -> float:
    """Returns the seconds that processors spent on Python in a separate process, which has to succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python(*args, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
