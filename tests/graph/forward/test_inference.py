"""Models that do not fit, and what their authors are told."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.helpers import Line, run
from trainer.errors import RequestError

BAD_MODELS = {
    "returns no dict": (lambda self, inputs, training: inputs["x"], "must return a dict"),
    "takes other inputs": (lambda self, inputs, training: {"op": inputs["z"]}, r"x float32 \[batch, 2\]: KeyError"),
    "does not fit": (lambda self, inputs, training: {"op": inputs["x"] @ tf.ones([3, 1])}, "Dimensions must be equal"),
    "reuses a name": (lambda self, inputs, training: {"x": inputs["x"]}, "cannot feed and fetch"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_a_model_that_does_not_fit_is_refused_before_anything_is_created(case, tmp_path) -> None:
    call, message = BAD_MODELS[case]
    model = type("Bad", (Line,), {"__call__": call})
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_scalar_is_refused(tmp_path) -> None:
    model = type("Bad", (Line,), {"loss": lambda self, outputs, labels: tf.square(outputs["op"] - labels["y"])})
    with pytest.raises(RequestError, match="must return a float scalar"):
        run(tmp_path / "run", make_model=model)


@pytest.mark.parametrize("name", ["loss", "epoch", "steps_per_sec", "val_loss"])
def test_a_metric_that_bears_a_name_of_the_trainer_is_refused(tmp_path, name) -> None:
    model = type("Bad", (Line,), {"metrics": lambda self, outputs, labels: {name: tf.constant(1.0)}})
    with pytest.raises(RequestError, match="a name reserved by the trainer"):
        run(tmp_path / "run", make_model=model)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"op": None}, "other than tensors"),
        ({"my op": tf.zeros}, "not a valid name|other than tensors"),
        ({}, "must return a dict"),
    ],
)
def test_outputs_that_are_none_are_refused(tmp_path, outputs, message) -> None:
    model = type("Bad", (Line,), {"__call__": lambda self, inputs, training: outputs})
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model)


def test_a_keras_model_is_held_not_handed_over(tmp_path) -> None:
    def whole() -> Any:
        return keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])

    with pytest.raises(RequestError, match="Sequential"):
        run(tmp_path / "run", make_model=whole)
