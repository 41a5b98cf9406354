"""Commands and programs of the README and of the pages under docs/, run in their order."""

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

HEADING = re.compile(r"^##? (.*)\n", re.MULTILINE)
PROGRAM = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

Sections = dict[tuple[str, str], list[tuple[str, str]]]


def sections() -> Sections:
    """Returns language and text of the blocks of each section, by page and heading."""
    found: Sections = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        # A comment in a program is no heading.
        blocks = {match.start(): match for match in BLOCK.finditer(text)}
        outside = PROGRAM.sub(lambda match: " " * len(match.group()), text)
        starts = [(match.start(), match.group(1)) for match in HEADING.finditer(outside)]
        for (start, heading), (end, _) in zip(starts, [*starts[1:], (len(text), "")], strict=True):
            own = [(each.group(1), each.group(2)) for at, each in blocks.items() if start <= at < end]
            if own:
                found[page.stem, heading] = own
    return found


SECTIONS = sections()
FILES = {match.group(1): text for blocks in SECTIONS.values() for _, text in blocks if (match := FILE.match(text))}

WINES = (
    "scripts/train model=keras model.net._target_=wines.net data=arrays data.examples._target_=wines.examples "
    "optimizer=adam loop.epochs=5 run.dir=wines +model.net.units=16"
)

# Commands of earlier sections that a section depends on.
BEFORE = {
    ("README", "Then"): "scripts/train +experiment=linear",
    ("checkpoints", "With plain TensorFlow"): "scripts/train +experiment=linear",
    (
        "checkpoints",
        "Look at checkpoints, keep some, make something of them",
    ): "scripts/train +experiment=digits_mlp",
    ("keras", "Weights back into Keras"): WINES,
    ("keras", "Weights from elsewhere"): f"{WINES}; scripts/checkpoints export wines@last --to keras -o wines_keras",
    ("python", "The public names"): "scripts/train +experiment=linear loop.epochs=20",
}


def test_there_is_a_section_for_each_thing_that_goes_before() -> None:
    assert set(BEFORE) < set(SECTIONS)
    assert sum(map(len, SECTIONS.values())) > 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page) -> None:
    for target, _ in LINK.findall(PROGRAM.sub("", page.read_text(encoding="utf-8"))):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_names_every_page() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in text] == []


@pytest.mark.parametrize("section", SECTIONS, ids=" - ".join)
def test_every_command_runs(section, tmp_path) -> None:
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    if section in BEFORE:
        run(["bash", "-euc", BEFORE[section]], tmp_path)
    for language, text in SECTIONS[section]:
        if language == "bash":
            # The suite within the suite would never end, so only the start of the command is shown.
            run(["bash", "-euc", text.replace("scripts/test\n", "scripts/test --version\n")], tmp_path)
        elif language == "python" and not FILE.match(text):
            run([sys.executable, "-c", text], tmp_path)


def run(command: list[str], directory: Path) -> None:
    """Runs a command in a separate process, without the paths of the test environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
