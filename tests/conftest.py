"""What the tests share: the command line in a subprocess, and runs that many tests read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT, python


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line, in an empty working directory."""

    def run(*args: str, cwd: Path = tmp_path, **env: str) -> subprocess.CompletedProcess[str]:
        return python("-m", "trainer", *args, cwd=cwd, **env)

    return run


@pytest.fixture
def no_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which importing TensorFlow ends the process with code 99."""
    folder = tmp_path_factory.mktemp("no_tensorflow")
    (folder / "tensorflow.py").write_text("import os, sys\nsys.stderr.write('TensorFlow was imported')\nos._exit(99)\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of ``tests.helpers.Line`` that left all formats."""
    from callbacks.checkpoint import Checkpoint
    from callbacks.freeze import Freeze
    from callbacks.saved_model import SavedModel
    from tests.helpers import run

    directory = tmp_path_factory.mktemp("small") / "run"
    run(directory, {"c": Checkpoint(), "f": Freeze(), "s": SavedModel(tags=["gpu"])})
    return directory


@pytest.fixture(scope="session")
def linear_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The run of the first README command: its directory and what it printed."""
    cwd = tmp_path_factory.mktemp("linear")
    done = python("-m", "trainer", "+experiment=linear", cwd=cwd)
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "outputs" / "linear").iterdir()
    return run, done
