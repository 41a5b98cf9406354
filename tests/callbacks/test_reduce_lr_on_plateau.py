"""Reduction of learning rates, by tables against that of Keras, and in runs."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tests.callbacks.contexts import context
from tests.helpers import assert_same_bits, run
from trainer.callback import Callback
from trainer.errors import RequestError
from trainer.graph.optimizers.optimizer_parts import OptimizerPart, Optimizers
from trainer.state import RunState

NEVER_BETTER = {"monitor": "loss", "min_delta": 1e9, "factor": 0.5, "patience": 2}


class Rate:
    """Variable and session at once, without a graph."""

    def __init__(self) -> None:
        self.value = np.float32(0.1)

    def load(self, value: Any, _session: Any) -> None:
        self.value = np.float32(value)

    def run(self, _fetches: Any) -> list[Any]:
        return [self.value]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's callback
@pytest.mark.parametrize(
    "settings",
    [
        {"factor": 0.5, "patience": 2},
        {"factor": 0.5, "patience": 1, "cooldown": 2},
        {"factor": 0.1, "patience": 1, "min_learning_rate": 0.02},
        {"factor": 0.5, "patience": 2, "min_delta": 0.4},
        {"factor": 0.5, "patience": 1, "mode": "max"},
    ],
)
def test_it_lowers_the_rate_where_keras_does(settings) -> None:
    values = np.round(np.random.default_rng(3).uniform(0, 3, 40), 1).tolist()
    ours, rate, here = ReduceLROnPlateau(monitor="loss", **settings), Rate(), context()
    ours._rates, here.session = [rate], rate
    renamed = {"min_learning_rate": "min_lr"}
    theirs = keras.callbacks.ReduceLROnPlateau("loss", **{renamed.get(name, name): v for name, v in settings.items()})
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1))
    theirs.set_model(model)
    theirs.on_train_begin()
    for epoch, value in enumerate(values, 1):
        here.record = RunState(epoch, epoch, {"loss": value})
        ours.on_step_end(here)
        theirs.on_epoch_end(epoch, {"loss": value})
        assert rate.value == pytest.approx(float(model.optimizer.learning_rate.numpy()), rel=1e-5), epoch
    assert rate.value < 0.1


def rates(directory: Any) -> list[float]:
    return [json.loads(line)["learning_rate"] for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("per_call", [2, None])
def test_a_resume_goes_on_exactly(tmp_path, per_call) -> None:
    def callbacks() -> dict[str, Callback]:
        return {"m": Metrics(), "r": ReduceLROnPlateau(**NEVER_BETTER), "c": Checkpoint()}

    run(tmp_path / "straight", callbacks(), epochs=8, steps_per_call=per_call)
    for epochs in (2, 3, 6, 8):
        run(tmp_path / "broken", callbacks(), epochs=epochs)
    assert rates(tmp_path / "straight") == [0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625]
    assert rates(tmp_path / "broken") == rates(tmp_path / "straight")
    assert_same_bits(tmp_path / "straight/checkpoints/model-8", tmp_path / "broken/checkpoints/model-8")


def test_the_rates_of_several_optimizers_are_lowered_together(tmp_path) -> None:
    def make(_step: Any, _scale: Any) -> Optimizers:
        adam = OptimizerPart(keras.optimizers.Adam(0.2, name="optimizer_w"), ["w"])
        return Optimizers({"w": adam, "b": OptimizerPart(keras.optimizers.SGD(0.1, name="optimizer_b"), ["b"])})

    callbacks = {"r": ReduceLROnPlateau(**{**NEVER_BETTER, "patience": 1})}
    found = run(tmp_path / "run", callbacks, make_optimizer=make).metrics
    assert (found["learning_rate_w"], found["learning_rate_b"]) == (0.1, 0.05)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)), "SGD"),
        (lambda: tf.compat.v1.train.MomentumOptimizer(0.1, 0.9), "MomentumOptimizer"),
        (lambda: Optimizers({"all": OptimizerPart(tf.compat.v1.train.AdamOptimizer(0.1))}), "AdamOptimizer"),
    ],
)
def test_a_rate_that_is_no_variable_is_refused(tmp_path, make, named) -> None:
    with pytest.raises(RequestError, match=f"callbacks.r: the learning rate of {named} is no variable"):
        run(tmp_path / "run", {"r": ReduceLROnPlateau(**NEVER_BETTER)}, make_optimizer=lambda *_: make())
    assert not (tmp_path / "run").exists()


def test_a_metric_that_nothing_reports_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"monitor \('val_los'\) is not known"):
        run(tmp_path / "run", {"r": ReduceLROnPlateau(monitor="val_los")})
