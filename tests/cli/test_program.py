"""Name of the program, by the way in which it was started."""

from __future__ import annotations

import pytest

from trainer.cli.program import command_name


def test_a_command_on_the_path_has_its_name_and_another_its_path(tmp_path, monkeypatch) -> None:
    for folder in ("on", "off"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "graph-trainer").write_text("#!/bin/sh\n")
        (tmp_path / folder / "graph-trainer").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "on"))
    assert command_name(str(tmp_path / "on/graph-trainer")) == "graph-trainer"
    assert command_name(str(tmp_path / "off/graph-trainer")) == str(tmp_path / "off/graph-trainer")


# What is typed, and how the usage line names the program.
STARTED = [
    ("python -m trainer --help", "usage: python -m trainer +experiment=NAME"),
    ("graph-trainer --help", "usage: graph-trainer +experiment=NAME"),
    ("graph-trainer checkpoints --help", "usage: graph-trainer checkpoints"),
    ("graph-trainer checkpoints list --help", "usage: graph-trainer checkpoints list"),
    ("python -m trainer models --help", "usage: python -m trainer models"),
    ("python -m trainer.cli.models --help", "usage: python -m trainer.cli.models"),
    ("TRAINER_PROGRAM=scripts/models python -m trainer.cli.models --help", "usage: scripts/models"),
]


@pytest.mark.parametrize(("typed", "usage"), STARTED)
def test_help_names_what_was_typed(bash, no_tensorflow, typed, usage) -> None:
    done = bash(typed, **no_tensorflow)
    assert done.returncode == 0, done.stderr
    assert usage in done.stdout
