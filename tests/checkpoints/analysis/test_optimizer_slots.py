"""Variables of the optimizer, told from those of the model by their names."""

from __future__ import annotations

import pytest

from trainer.checkpoints.analysis.optimizer_slots import optimizer_variables


@pytest.mark.parametrize(
    ("shapes", "trainable", "expected"),
    [
        ({"w": (2,), "w/Momentum": (2,)}, None, {"w/Momentum"}),
        ({"w": (2,), "w/scale": ()}, None, set()),
        ({"w": (2,), "w/copy": (2,)}, {"w", "w/copy"}, set()),
        ({"w": (2,), "w/ExponentialMovingAverage": (2,)}, {"w"}, set()),
        ({"a/w": (2,), "train/beta1_power": (), "a/w/Adam_1": (2,)}, {"a/w"}, {"train/beta1_power", "a/w/Adam_1"}),
        ({"adam/iteration": (), "adam_3/w_momentum": (2,), "w": (2,)}, {"w"}, {"adam/iteration", "adam_3/w_momentum"}),
        ({"adam_1/iteration": (), "adam_1_1/learning_rate": ()}, set(), {"adam_1/iteration", "adam_1_1/learning_rate"}),
        ({"sgd/w": (2,), "w": (2,)}, {"w"}, set()),
        ({"bn/moving_mean": (4,), "bn/gamma": (4,)}, {"bn/gamma"}, set()),
        ({"k/.OPTIMIZER_SLOT/o/m": (2,)}, None, {"k/.OPTIMIZER_SLOT/o/m"}),
        ({"rollback/rate_scale": ()}, set(), {"rollback/rate_scale"}),
    ],
)
def test_what_belongs_to_the_optimizer(shapes, trainable, expected) -> None:
    assert optimizer_variables(shapes, trainable) == expected
