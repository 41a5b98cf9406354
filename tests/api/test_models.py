"""Models as a user gives them to ``fit``."""

from __future__ import annotations

from typing import Any

import pytest

import trainer
from tests.graph.forward.test_program_calls import in_turn
from tests.graph_functions import counted, of_the_config
from tests.helpers import assert_same_bits, points
from trainer.model import FunctionModel, ProgramModel

FORMS: dict[str, tuple[Any, Any]] = {
    "a function with a train op": (counted, None),
    "a function without": (of_the_config, "adam"),
    "a model of a function": (FunctionModel(counted), None),
    "a program": (ProgramModel(in_turn), None),
}


@pytest.mark.parametrize("form", FORMS)
def test_code_of_graph_mode_is_trained_and_goes_on_to_the_same_bits(form, tmp_path) -> None:
    model, optimizer = FORMS[form]
    parts = {"batch_size": 8, "verbose": False, "compile": "off", "validation": 0.2}
    straight = trainer.fit(model, points(), optimizer, epochs=2, directory=tmp_path / "straight", **parts)
    trainer.fit(model, points(), optimizer, epochs=1, directory=tmp_path / "resumed", **parts)
    resumed = trainer.fit(model, points(), optimizer, epochs=2, directory=tmp_path / "resumed", **parts)
    assert len(resumed.metrics) == 2
    assert_same_bits(straight.checkpoints[-1].prefix, resumed.checkpoints[-1].prefix)
