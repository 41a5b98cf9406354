"""Tables of layers: their outputs, their parameters, what is shared and what is not trained."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.helpers import Line, Two, job
from trainer.training.layer_table import table_of_layers

v1 = tf.compat.v1


class Scoped(Line):
    """Graph-mode code with variable scopes, one of them used twice."""

    def __init__(self) -> None:
        pass

    def dense(self, x: Any, units: int, scope: str) -> Any:
        with v1.variable_scope(scope, reuse=v1.AUTO_REUSE):
            w = v1.get_variable("w", [int(x.shape[1]), units])
            return tf.nn.relu(x @ w)

    def __call__(self, inputs: Any, training: bool) -> Any:
        once = self.dense(inputs["x"], 2, "body")
        return {"op": self.dense(self.dense(once, 2, "body"), 1, "top")}


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="net")
        self.inner = keras.layers.Dense(5, name="inner")

    def call(self, x: Any) -> Any:
        return self.inner(x)


class OfKeras(Line):
    def __init__(self) -> None:
        self.net = Subclassed()
        self.top = keras.layers.Dense(1, name="top")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.top(self.net(inputs["x"]))}


def rows(directory: Any, model: Any) -> tuple[dict[str, list[str]], str]:
    lines = table_of_layers(job(directory / "run", make_model=model)).splitlines()
    assert not (directory / "run").exists()
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[2:-2]]
    return {name: others for name, *others in cells}, lines[-1]


@pytest.mark.parametrize(
    ("model", "expected", "totals"),
    [
        (
            Line,
            {"matmul": ["MatMul", "? x 1", "2"], "add": ["AddV2", "? x 1", "1"]},
            "3 parameters, 3 trainable and 0 not",
        ),
        (
            Two,
            {"body/dense": ["MatMul, BiasAdd", "? x 4", "12"], "head": ["MatMul, AddV2", "? x 1", "5"]},
            "33 parameters, 25 trainable and 8 not",
        ),
        (
            OfKeras,
            {"net/inner": ["MatMul, BiasAdd", "? x 5", "15"], "top": ["MatMul, AddV2", "? x 1", "6"]},
            "21 parameters, 21 trainable and 0 not",
        ),
    ],
)
def test_each_layer_has_its_output_and_its_parameters(tmp_path, model, expected, totals) -> None:
    found, told = rows(tmp_path, model)
    assert {name: found.get(name) for name in expected} == expected
    assert told.startswith(totals)


def test_shared_variables_count_once_and_are_marked(tmp_path) -> None:
    found, told = rows(tmp_path, Scoped)
    assert told.startswith("6 parameters, 6 trainable")
    assert sum("(shared)" in " ".join(cells) for cells in found.values()) == 1
