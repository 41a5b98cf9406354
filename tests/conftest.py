"""Fixtures shared by all tests: the command lines, and runs that are read by the tests of many rooms."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT, python
from trainer.tensorflow_import import stderr_kept_back

with stderr_kept_back():  # TensorFlow's first log lines would appear below pytest's report
    from tests.marks import mark
    from tests.runs_to_read import copy, linear_run, plain, small_run, trained
    from trainer.cli.checkpoints import main as checkpoints_main
    from trainer.cli.models import main as models_main

__all__ = ["copy", "linear_run", "plain", "small_run", "trained"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark(item)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps what a user's exports are vouched for by out of the home directory."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Training from the command line, in an empty working directory."""

    def run(*args: str, cwd: Path = tmp_path, **env: str) -> subprocess.CompletedProcess[str]:
        return python("-m", "trainer", *args, cwd=cwd, **env)

    return run


@pytest.fixture
def no_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which importing TensorFlow ends the process with code 99, but its formats."""
    folder = tmp_path_factory.mktemp("no_tensorflow")
    package = folder / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("import os, sys\nsys.stderr.write('TensorFlow was imported')\nos._exit(99)\n")
    spec, *_ = importlib.util.find_spec("tensorflow").submodule_search_locations
    (package / "core").symlink_to(Path(spec) / "core")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``scripts/checkpoints`` in this process: returns exit code and output, errors included."""

    def call(*arguments: Any) -> tuple[int, str]:
        capsys.readouterr()
        code = checkpoints_main([str(each) for each in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out + printed.err

    return call


@pytest.fixture
def tool_json(tool: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, Any]]:
    """``scripts/checkpoints --json`` in this process: returns exit code and parsed output."""

    def call(*arguments: Any) -> tuple[int, Any]:
        code, text = tool(*arguments, "--json")
        return code, json.loads(text)

    return call


@pytest.fixture
def models(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """``scripts/models`` in this process, in an empty directory: returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: Any) -> tuple[int, str, str]:
        capfd.readouterr()
        code = models_main([str(each) for each in args])
        return code, *capfd.readouterr()

    return run
