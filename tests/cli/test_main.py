"""``graph-trainer`` and ``python -m trainer``: the same commands, flags anywhere, a command that can be pasted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.processes import ROOT, python
from trainer.cli.main import COMMANDS

MINE = """# @package _global_
defaults:
  - override /model: linear
  - override /data: line

loop: {epochs: 1}
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_same_from_both_programs(bash, no_tensorflow, name) -> None:
    helps = [bash(f"{program} {name} --help", **no_tensorflow) for program in ("graph-trainer", "python -m trainer")]
    assert [done.returncode for done in helps] == [0, 0]
    first, second = (done.stdout.replace("python -m trainer", "graph-trainer") for done in helps)
    assert " ".join(first.split()) == " ".join(second.split())


def test_a_misspelt_command_gets_its_name(bash, no_tensorflow) -> None:
    done = bash("graph-trainer checkpoint list", **no_tensorflow)
    assert (done.returncode, "did you mean checkpoints" in done.stderr) == (2, True)


def test_the_version_is_of_this_program(bash, no_tensorflow) -> None:
    assert re.match(r"graph-trainer \d+\.\d+\.\d+ \(Hydra 1\.", bash("graph-trainer --version", **no_tensorflow).stdout)


@pytest.mark.parametrize("flags", ["--info config", "--info=config", "-i config"])
def test_info_is_printed_once(bash, no_tensorflow, flags) -> None:
    done = bash(f"graph-trainer +experiment=linear {flags} loop.epochs=7", **no_tensorflow)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("Config search path") == lines.count("  epochs: 7") == lines.count("Defaults List") == 1


def test_a_sweep_with_flags_between_its_settings(bash, tmp_path) -> None:
    done = bash("python -m trainer +experiment=linear loop.epochs=1 -m -v optimizer.learning_rate=0.1,0.01")
    assert done.returncode == 0, done.stderr
    configs = sorted((tmp_path / "work/outputs/linear").glob("*/config.yaml"))
    assert [path.read_text().splitlines()[0] for path in configs] == [
        f"# python -m trainer +experiment=linear loop.epochs=1 optimizer.learning_rate={rate}" for rate in (0.1, 0.01)
    ]


@pytest.mark.parametrize("program", ["graph-trainer", "python -m trainer"])
def test_the_command_of_a_run_can_be_pasted(bash, tmp_path, program) -> None:
    experiments = tmp_path / "work/my conf/experiment"
    experiments.mkdir(parents=True)
    (experiments / "mine.yaml").write_text(MINE)
    settings = "'trainable=[slope, intercept]' '~callbacks.freeze' data.examples.seed=3"
    done = bash(
        f"{program} experiment=mine {settings} +callbacks=early_stopping --config-dir 'my conf' "
        "callbacks.early_stopping.monitor=loss"
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "work/outputs/mine").iterdir()
    comment, _, config = (run / "config.yaml").read_text().partition("\n")
    command = json.loads((run / "run.json").read_text())["command"]
    assert comment == f"# {command}"
    assert command.startswith(f"{program} '--config-dir=my conf' +experiment=mine")
    pasted = bash(f"{command} --cfg job --resolve")
    assert pasted.returncode == 0, pasted.stderr
    assert OmegaConf.create(pasted.stdout) == OmegaConf.create(config)


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command of a fresh environment that ``pip install`` has made it in."""
    source, environment = tmp_path / "source", tmp_path / "environment"
    for name in ("trainer", "callbacks", "conf"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # What the project depends on comes from the environment of the tests.
    (packages / "tests.pth").write_text("\n".join(each for each in sys.path if each.endswith("site-packages")))
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python"), "install", "--quiet"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*pip, *offline, str(source)], check=True, capture_output=True, text=True)

    def run(script: str) -> subprocess.CompletedProcess[str]:
        path = f"{environment / 'bin'}:/usr/bin:/bin"
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        return subprocess.run(
            ["bash", "-c", script], cwd=work, env={"PATH": path}, capture_output=True, text=True, timeout=300
        )

    return run


def test_pip_installs_the_command(installed, tmp_path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/quadratic.py").write_text(
        "from trainer.models.linear import Linear\n\n\nclass Mine(Linear):\n    pass\n"
    )
    done = installed("graph-trainer +experiment=linear loop.epochs=1 model._target_=quadratic.Mine")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "work/outputs/linear").iterdir()
    assert json.loads((run / "run.json").read_text())["command"].startswith("graph-trainer +experiment=linear")
    listed = installed(f"graph-trainer checkpoints list {run}")
    assert (listed.returncode, "model-1" in listed.stdout) == (0, True)
    assert "usage: graph-trainer models" in installed("graph-trainer models --help").stdout
    line = "graph-trainer +experiment=di"
    script = f'eval "$(graph-trainer -sc install=bash)"; COMP_LINE="{line}" COMP_POINT={len(line)} COMP_CWORD=1'
    completed = installed(f"{script}; COMP_WORDS=({line}); hydra_bash_completion; echo ${{COMPREPLY[*]}}")
    assert "+experiment=digits_mlp" in completed.stdout.split()


def test_a_module_of_the_working_directory_does_not_replace_pythons_own(tmp_path) -> None:
    """As the installed command starts: its own directory comes first on the path, not the working directory."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/graph-trainer"
    script.write_text("from trainer.cli.main import main\nmain()\n")
    (tmp_path / "random.py").write_text("def mine(): pass\n")
    for words in (("checkpoints", "list", "nowhere"), ("+experiment=lineer",)):
        done = python(str(script), *words, cwd=tmp_path)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
