"""What tests of the command lines share: the installed command, and a shell that knows it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT


@pytest.fixture
def bash(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A shell that finds ``graph-trainer`` and a ``python`` with this project, in an empty working directory."""
    folder = tmp_path / "bin"
    folder.mkdir()
    interpreter = shlex.quote(sys.executable)
    (folder / "graph-trainer").write_text(
        f'#!/bin/sh\nTRAINER_PROGRAM=graph-trainer exec {interpreter} -m trainer "$@"\n'
    )
    (folder / "python").write_text(f'#!/bin/sh\nexec {interpreter} "$@"\n')
    for path in folder.iterdir():
        path.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()

    def run(script: str, cwd: Path = work, **env: str) -> subprocess.CompletedProcess[str]:
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        surroundings = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **env}
        return subprocess.run(
            ["bash", "-c", script], cwd=cwd, env=surroundings, capture_output=True, text=True, timeout=300
        )

    return run
