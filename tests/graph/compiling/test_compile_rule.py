"""Whether a step is compiled: the rule, what is recorded, what a resume keeps."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import tensorflow as tf

from tests.helpers import Line, assert_same_bits, run
from trainer.checkpoints.record import read_record
from trainer.config.keys import with_key
from trainer.errors import RequestError
from trainer.graph.compiling.compile_rule import choose

RULE = [
    ("off", {"MatMul"}, 10, True, "off"),
    ("xla", {"Conv2D"}, 10**9, True, "xla"),
    ("auto", {"MatMul", "Relu", "ReadVariableOp"}, 10, True, "xla"),
    ("auto", {"MatMul"}, 10, False, "off"),
    ("auto", {"MatMul", "Conv2D"}, 10, True, "off"),
    ("auto", {"StatelessRandomUniformV2", "MatMul"}, 10, True, "off"),
    ("auto", {"EagerPyFunc"}, 10, True, "off"),
    ("auto", {"MatMul"}, 10**7, True, "off"),
]


@pytest.mark.parametrize("setting", ["xla", "measure"])
def test_an_op_whose_checks_are_not_known_is_not_compiled(setting) -> None:
    mode = choose(setting, {"MatMul"}, 10, in_memory=True, update_types={"MatMul", "GatherV2", "Conv2D", "Where"})
    assert mode.name == "off"
    assert "TensorFlow's checks (Where)" in mode.reason


@pytest.mark.parametrize(("setting", "ops", "parameters", "in_memory", "expected"), RULE)
def test_the_rule_for_compiling(setting, ops, parameters, in_memory, expected) -> None:
    mode = choose(setting, ops, parameters, in_memory=in_memory)
    assert mode.name == expected
    assert mode.reason


def test_compiling_a_pipeline_is_refused() -> None:
    with pytest.raises(RequestError, match="compile='xla' needs data in memory") as refused:
        choose("xla", {"MatMul"}, 10, in_memory=False)
    assert with_key(refused.value).endswith(" [loop.compile]")


def test_the_mode_is_kept_on_resume(tmp_path) -> None:
    run(tmp_path / "run", epochs=1, compile="xla")
    run(tmp_path / "run", epochs=2, compile="off")
    record = read_record(tmp_path / "run/checkpoints/model-2.json")
    assert record.settings["compile"] == "xla"


def test_measuring_takes_one_mode_and_records_it(tmp_path, caplog) -> None:

    with caplog.at_level(logging.INFO):
        run(tmp_path / "run", epochs=1, compile="measure")
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["compile"] in ("off", "xla")
    assert "steps/s" in facts["compile_reason"]
    assert read_record(tmp_path / "run/checkpoints/model-1.json").settings["compile"] == facts["compile"]
    assert f"using compile={facts['compile']}" in caplog.text
    run(tmp_path / "straight", epochs=1, compile=facts["compile"])
    assert_same_bits(tmp_path / "run/checkpoints/model-1", tmp_path / "straight/checkpoints/model-1")


def test_a_model_that_xla_cannot_compile_runs_as_it_is(tmp_path, caplog) -> None:
    class Strings(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            return super().__call__({"x": tf.strings.to_number(tf.strings.as_string(inputs["x"]))}, training)

    run(tmp_path / "run", epochs=1, compile="xla", make_model=Strings)
    assert caplog.text.count("XLA cannot compile this model") == 1
    assert read_record(tmp_path / "run/checkpoints/model-1.json").settings["compile"] == "off"
