"""The step of docs/optimizers.md with the optimizers of the same page: both nets are trained."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from callbacks.checkpoint import Checkpoint
from tests.helpers import run, variables
from tests.processes import ROOT
from trainer.data.arrays import InMemory
from trainer.data.synthetic import ring

PAGE = (ROOT / "docs/optimizers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_step_and_the_optimizers_of_the_page_train(tmp_path) -> None:
    names: dict[str, Any] = {}
    for code in BLOCK.findall(PAGE):
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
