"""The examples of docs/optimizers.md."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import numpy as np

from callbacks.checkpoint import Checkpoint
from tests.helpers import run, variables
from tests.processes import ROOT
from trainer.data.arrays import InMemory
from trainer.data.synthetic import ring

PAGE = (ROOT / "docs/optimizers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|yaml|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE) if kind == language]


def test_the_step_and_the_optimizers_of_the_page_train(tmp_path) -> None:
    names: dict[str, Any] = {}
    for code in blocks("python"):
        exec(code, names)
    state = run(
        tmp_path / "run",
        {"checkpoint": Checkpoint(every_n_epochs=1)},
        make_model=names["Wasserstein"],
        make_optimizer=lambda *_: names["make_optimizers"](),
        data=InMemory(ring(320), batch_size=32),
        epochs=2,
    )
    assert {"loss", "penalty", "of_maker"} <= state.metrics.keys()
    first, last = (variables(tmp_path / f"run/checkpoints/model-{number}") for number in (1, 2))
    kernels = [name for name in first if name.endswith("kernel")]
    assert len(kernels) == 4
    assert all(not np.array_equal(first[name], last[name]) for name in kernels)


def test_the_commands_of_the_page_run(tmp_path) -> None:
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (experiment,) = blocks("yaml")
    (tmp_path / "conf/experiment/versus.yaml").write_text(experiment)
    assert len(blocks("bash")) == 3
    for text in blocks("bash"):
        done = subprocess.run(["bash", "-euc", text], cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
