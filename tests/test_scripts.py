"""scripts/train and scripts/test in a fresh checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.marks import SLOW, SOAK
from tests.processes import ROOT

PINNED = ("requirements.txt", "requirements-test.txt")
REQUIREMENTS = (*PINNED, "requirements-base.txt", "requirements-other.txt")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy of the checkout without .venv."""
    for name in ("scripts", "trainer", "callbacks", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in REQUIREMENTS:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def bash(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=120)


def test_a_python_that_is_too_old_is_named(checkout) -> None:
    old = checkout / "old-python"
    old.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo Python 3.8.1; else exit 1; fi\n')
    old.chmod(0o755)
    done = bash("scripts/train", "--help", cwd=checkout, PYTHON=str(old))
    assert done.returncode == 1
    assert "no Python 3.10 to 3.13 found" in done.stderr
    assert "Python 3.8.1" in done.stderr


def test_an_installation_that_fails_says_why_and_is_tried_again(checkout) -> None:
    (checkout / "requirements.txt").write_text("no-such-package-by-any-name==9.9.9\n")
    for _ in range(2):
        done = bash("scripts/train", "--help", cwd=checkout, PIP_NO_INDEX="1")
        assert done.returncode == 1
        assert "no-such-package-by-any-name" in done.stderr
        assert "the whole output is in" in done.stderr


def test_a_second_start_adds_little() -> None:
    assert bash("scripts/train", "--help", cwd=ROOT).returncode == 0
    began = time.perf_counter()
    assert bash("scripts/train", "--help", cwd=ROOT).returncode == 0
    wrapped = time.perf_counter() - began
    began = time.perf_counter()
    interpreter = str(ROOT / ".venv/bin/python")
    assert bash(interpreter, "-m", "trainer", "--help", cwd=ROOT).returncode == 0
    assert wrapped - (time.perf_counter() - began) < 1.0  # 0.3 s by itself; room for a busy machine


def test_requirements_hold_names_and_versions_only() -> None:
    for name in REQUIREMENTS:
        for line in (ROOT / name).read_text().splitlines():
            assert line.startswith(("#", "-r requirements")) or "==" in line or (name not in PINNED and ">=" in line)
            assert "://" not in line
            assert "--" not in line


def lines(name: str) -> set[str]:
    return {line for line in (ROOT / name).read_text().splitlines() if not line.startswith(("#", "-r"))}


def quoted(key: str) -> set[str]:
    """The packages in a list of pyproject.toml."""
    (listed,) = re.findall(rf"^{key} = \[(.*?)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    return set(re.findall(r'^ *"(.*?)"', listed, re.MULTILINE))


def test_requirements_beside_a_tensorflow_are_those_of_an_installation() -> None:
    assert lines("requirements-base.txt") == {each for each in quoted("dependencies") if "tensorflow" not in each}


def test_tools_of_the_tests_have_one_version() -> None:
    assert {line for line in lines("requirements-other.txt") if "==" in line} <= lines("requirements-test.txt")


@pytest.mark.parametrize("version", ["2", "newest", "2.16; rm", "3.0", "2.16.x"])
def test_a_tensorflow_that_is_no_version_is_named(checkout, version) -> None:
    done = bash("scripts/test", "--tensorflow", version, cwd=checkout)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: --tensorflow takes a version such as 2.16 or 2.16.2, not '{version}'\n",
    )


def test_another_tensorflow_has_an_environment_of_its_own(checkout) -> None:
    (checkout / "requirements-other.txt").write_text("no-such-package-by-any-name==9.9.9\n")
    done = bash("scripts/test", "--fast", "--tensorflow=2.16", cwd=checkout, PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert "into .venv-tf-2.16 (once" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("beginning", [*SLOW, *SOAK])
def test_a_slow_test_exists(beginning) -> None:
    file, _, name = beginning.partition("[")[0].partition("::")
    assert f"\ndef {name or 'test_'}" in (ROOT / "tests" / file).read_text()


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ([], {"test_schedule.py", "test_same_bits.py"}),
        (["--fast"], {"test_schedule.py"}),
        (["-m", "slow"], {"test_same_bits.py"}),
        (["-m", "soak"], {"config/test_shipped_callbacks.py", "test_same_bits.py"}),
    ],
    ids=["default", "fast", "slow", "soak"],
)
def test_a_choice_of_tests(options, files) -> None:
    asked = [f"tests/{name}" for name in ("test_schedule.py", "test_same_bits.py", "config/test_shipped_callbacks.py")]
    done = bash("scripts/test", *options, "--collect-only", "-q", "-n", "0", *asked, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"^tests/(\S+?)::", done.stdout, re.MULTILINE)) == files


def test_the_hooks_are_the_checks_and_nothing_is_downloaded_for_them() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    checks = [hook["entry"].removeprefix("scripts/check ") for hook in repository["hooks"]]
    done = bash("scripts/check", "tpes", cwd=ROOT)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: scripts/check knows no check 'tpes'; there are: {', '.join(checks)}\n",
    )
