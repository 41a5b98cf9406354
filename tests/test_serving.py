"""Examples of SERVING.md, run in their order."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from trainer.cli.models import main

TEXT = (ROOT / "SERVING.md").read_text()
NAMED = "outputs/linear/2026-11-23_14-07-00"


def blocks(language: str) -> list[str]:
    """Returns the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def beside_the_run(linear_run, tmp_path, monkeypatch) -> Path:
    """Working directory in which the run has the name used in SERVING.md."""
    (tmp_path / NAMED).parent.mkdir(parents=True)
    (tmp_path / NAMED).symlink_to(linear_run[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_and_the_command_line(beside_the_run, capfd) -> None:
    programs = re.findall(r"^```(python|bash)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    programs = [(language, text) for language, text in programs if "cv2" not in text]
    assert len(programs) >= 5
    for language, text in programs:
        if language == "python":
            exec(text, {})
            continue
        for command in text.splitlines():
            name, *args = shlex.split(command)
            assert name == "scripts/models"
            assert main(args) == 0, capfd.readouterr().err
    said = capfd.readouterr().out
    assert "float32 [?, 1] float32 [?, 1]" in said
    assert "the same within 1e-05" in said


def test_opencv(beside_the_run, capsys) -> None:
    pytest.importorskip("cv2")
    (program,) = [text for text in blocks("python") if "cv2" in text]
    exec(program, {})
    numbers = [float(each) for each in re.findall(r"[\d.]+", capsys.readouterr().out)]
    assert numbers == pytest.approx([4.0, 7.0], abs=0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="the names of the libraries are those of Linux")
def test_c(beside_the_run) -> None:
    (source,), (commands,) = blocks("c"), blocks("sh")
    (beside_the_run / "predict.c").write_text(source)
    assert importlib.util.find_spec("tensorflow")
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=beside_the_run,
        env={"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert [float(each) for each in done.stdout.split()] == pytest.approx([4.0, 7.0], abs=0.1)


def test_the_layout_of_tf_serving(linear_run) -> None:
    exported = linear_run[0] / "export"
    found = {path.relative_to(exported.parent).as_posix() for path in exported.rglob("*") if path.is_file()}
    listed = re.findall(r"^export/saved_model/\S+$", TEXT, re.MULTILINE)
    assert set(listed) == {path for path in found if path.startswith("export/saved_model")}
