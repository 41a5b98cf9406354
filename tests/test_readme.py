"""Every command and every program in the README runs, in the order in which they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.processes import ROOT

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_command_runs(tmp_path) -> None:
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert len(blocks) > 8
    for language, text in blocks:
        if language == "python" and (file := re.match(r"# (\w+\.py)\n", text)):
            (tmp_path / file.group(1)).write_text(text)
            continue
        # The suite within the suite would never end; that the command starts is what is left to show.
        commands = [text.replace("scripts/test\n", "scripts/test --version\n")] if language == "bash" else [text]
        shell = ["bash", "-euc"] if language == "bash" else [sys.executable, "-c"]
        for command in commands:
            done = subprocess.run(
                [*shell, command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
            )
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert (tmp_path / "outputs" / "quadratic").is_dir()
