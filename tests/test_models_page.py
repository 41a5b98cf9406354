"""The example of docs/models.md, and its table of what is kept."""

from __future__ import annotations

import re
from typing import Any

import keras
import pytest

from tests.helpers import run
from tests.processes import ROOT
from trainer.data.arrays import Arrays, InMemory

PAGE = (ROOT / "docs/models.md").read_text(encoding="utf-8")


def test_the_example_starts_where_its_constructor_puts_it(tmp_path) -> None:
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Sum" in code]
    names: dict[str, Any] = {}
    exec(code, names)
    x = names["X"]
    data = InMemory(Arrays({"x": x}, {"y": x.sum(1, keepdims=True)}), batch_size=64)
    state = run(
        tmp_path / "run",
        {},
        data=data,
        epochs=1,
        make_model=names["Sum"],
        make_optimizer=lambda _step, _scale: keras.optimizers.SGD(0.0),
    )
    assert state.metrics["loss"] == pytest.approx(0.0, abs=0.2)
