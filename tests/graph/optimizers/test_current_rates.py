"""Learning rates in the metrics of an epoch, against what each optimizer computes."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from tests.helpers import Line, run
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.graph.optimizers.current_rates import with_rates
from trainer.graph.optimizers.learning_rates import rate_of_step

v1 = tf.compat.v1
schedules = keras.optimizers.schedules

LAST_STEPS = (4, 9, 14)
"""Updates before the last one of each epoch."""


class OfAUser(v1.train.Optimizer):
    """Optimizer without an attribute for its rate."""

    def __init__(self) -> None:
        super().__init__(use_locking=False, name="mine")

    def _apply_dense(self, gradient: Any, variable: Any) -> Any:
        return variable.assign_sub(0.1 * gradient)

    _resource_apply_dense = _apply_dense


def decayed(step: int) -> float:
    return 0.1 * 0.5 ** (step / 10)


OPTIMIZERS = {
    "keras constant": (lambda _: keras.optimizers.Adam(0.1), lambda step: 0.1),
    "keras exponential": (
        lambda _: keras.optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.5)),
        decayed,
    ),
    "keras piecewise": (
        lambda _: keras.optimizers.SGD(schedules.PiecewiseConstantDecay([4, 9], [0.3, 0.2, 0.1])),
        lambda step: 0.3 if step <= 4 else 0.2 if step <= 9 else 0.1,
    ),
    "keras cosine with warm-up": (
        lambda _: keras.optimizers.AdamW(schedules.CosineDecay(0.0, 100, warmup_target=0.5, warmup_steps=20)),
        lambda step: 0.5 * step / 20,
    ),
    "keras loss scale": (
        lambda _: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        lambda step: 0.1,
    ),
    "graph mode constant": (lambda _: v1.train.MomentumOptimizer(0.1, 0.9), lambda step: 0.1),
    "graph mode adam": (lambda _: v1.train.AdamOptimizer(0.1), lambda step: 0.1),
    "graph mode ftrl": (lambda _: v1.train.FtrlOptimizer(0.1), lambda step: 0.1),
    "graph mode schedule": (
        lambda step: v1.train.GradientDescentOptimizer(
            rate_of_step(lambda global_step: v1.train.exponential_decay(0.1, global_step, 10, 0.5), step)
        ),
        decayed,
    ),
    "graph mode with a wrapper": (
        lambda _: v1.mixed_precision.MixedPrecisionLossScaleOptimizer(v1.train.AdagradOptimizer(0.1), 128.0),
        lambda step: 0.1,
    ),
    "of a user": (lambda _: OfAUser(), None),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_epoch_has_the_rate_of_its_last_update(tmp_path, name) -> None:
    make, expected = OPTIMIZERS[name]
    # Two epochs in one call, then a resume: the third has its rate at once.
    for epochs in (2, 3):
        callbacks = {"m": Metrics(), "c": Checkpoint()}
        run(tmp_path / "run", callbacks, epochs=epochs, make_optimizer=lambda step, _: make(step))
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    found = [line.get("learning_rate") for line in lines]
    wanted = [None] * 3 if expected is None else pytest.approx([expected(step) for step in LAST_STEPS], rel=1e-6)
    assert found == wanted


class Reporting(Line):
    def metrics(self, outputs: Any, labels: Any) -> Any:
        error = tf.reduce_sum(tf.abs(outputs["op"] - labels["y"]))
        return {"learning_rate": tf.constant(7.0), "error": (error, tf.constant(8.0))}


def test_a_metric_of_the_model_with_that_name_is_kept(tmp_path) -> None:
    assert run(tmp_path / "run", make_model=Reporting).metrics["learning_rate"] == 7.0


def test_rates_stand_between_the_metrics_and_the_sums_of_pairs() -> None:
    columns = MetricColumns(("loss", "recall"), pairs=("recall",))
    with tf.Graph().as_default(), v1.Session() as session:
        found, row = with_rates(columns, tf.constant([1.0, 0.5, 2.0, 4.0]), {"learning_rate": tf.constant(0.1)})
        assert session.run(row).tolist() == pytest.approx([1.0, 0.5, 0.1, 2.0, 4.0])
    assert found.all == ("loss", "recall", "learning_rate", "recall/numerator", "recall/denominator")
    assert (found.running, found.rates) == (("learning_rate",), ("learning_rate",))
