"""Commands and programs of the README, run in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

BLOCK = re.compile(r"^```(bash|python|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:# @package .*\n)?# ([\w/]+\.(?:py|yaml))\n")
"""First lines of a block that is a file; all sections have these files."""

HEADING = re.compile(r"^##+ (.*)\n", re.MULTILINE)

_, *parts = HEADING.split((ROOT / "README.md").read_text())
SECTIONS = {
    heading: blocks for heading, text in zip(parts[::2], parts[1::2], strict=True) if (blocks := BLOCK.findall(text))
}
FILES = {match.group(1): text for blocks in SECTIONS.values() for _, text in blocks if (match := FILE.match(text))}

# Commands of earlier sections that a section depends on.
BEFORE = {
    "Then": "scripts/train +experiment=linear",
    "Use what a run left": "scripts/train +experiment=linear",
    "Look at checkpoints, keep some, make something of them": "scripts/train +experiment=digits_mlp",
}


def test_there_is_a_section_for_each_thing_that_goes_before() -> None:
    assert set(BEFORE) < set(SECTIONS)
    assert sum(map(len, SECTIONS.values())) > 12


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_command_runs(heading, tmp_path) -> None:
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    if heading in BEFORE:
        run(["bash", "-euc", BEFORE[heading]], tmp_path)
    for language, text in SECTIONS[heading]:
        if language == "bash":
            # The suite within the suite would never end, so only the start of the command is shown.
            run(["bash", "-euc", text.replace("scripts/test\n", "scripts/test --version\n")], tmp_path)
        elif not FILE.match(text):
            run([sys.executable, "-c", text], tmp_path)


def run(command: list[str], directory: Path) -> None:
    """Runs a command in a separate process, without the paths of the test environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
