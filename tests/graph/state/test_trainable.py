"""Which variables are trained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import Line, Two, run, variables
from trainer.errors import RequestError


class Keras(Line):
    """A frozen layer below a head, as fine-tuning has it."""

    def __init__(self) -> None:
        self.base = keras.layers.Dense(4, name="base", trainable=False)
        self.parts = {"head": [keras.layers.Dense(1, name="head")]}

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.parts["head"][0](self.base(inputs["x"]))}


class KerasModel(Keras):
    """The same as a whole Keras model with an inner one frozen."""

    def __init__(self) -> None:
        inputs = keras.Input([2])
        base = keras.Sequential([keras.layers.Dense(4)], name="base")
        self.net = keras.Model(inputs, keras.layers.Dense(1, name="head")(base(inputs)))
        base.trainable = False

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.net(inputs["x"], training=training)}


@pytest.mark.parametrize("model", [Keras, KerasModel])
def test_a_frozen_layer_is_not_trained(tmp_path, model) -> None:
    run(tmp_path / "run", epochs=2, make_model=model)
    first, second = (variables(tmp_path / f"run/checkpoints/model-{n}") for n in (1, 2))
    for name in first:
        if name.endswith(("kernel", "bias")):
            assert np.array_equal(first[name], second[name]) == name.startswith("base"), name


@pytest.mark.parametrize("trainable", [["haed/*"], []])
def test_a_choice_of_nothing_to_train_is_refused(tmp_path, trainable) -> None:
    message = "'haed/\\*' matches no variable; did you mean head/\\*" if trainable else "trainable is empty"
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=Two, trainable=trainable)
    assert not (tmp_path / "run").exists()


class Old(Line):
    """A weight of the old kind, which an update changes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.compat.v1.get_variable("old", [2, 1], use_resource=False)


def test_a_reference_variable_is_not_trained_but_may_stay_as_it_is(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"Old makes reference variables \(old\)"):
        run(tmp_path / "refused", make_model=Old)
    run(tmp_path / "run", make_model=Old, trainable=["b"], epochs=1)
    assert variables(tmp_path / "run/checkpoints/model-1")["old"].shape == (2, 1)
