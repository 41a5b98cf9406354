"""Bit-identical results under resumes and calls of any length, for models, data and optimizers of every family."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.metrics import Metrics
from tests.helpers import Line, assert_same_bits, dataset, points, run, timeless
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory
from trainer.data.streamed import Streamed
from trainer.graph.optimizers.learning_rates import rate_of_step
from trainer.graph.steps.train_step import STEPS_AHEAD
from trainer.schedule import Schedule

v1 = tf.compat.v1


class Module(tf.Module):
    """Linear model as a tf.Module with tf.Variables."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([[0.1], [0.1]], name="w")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


class Net(Line):
    """Keras layers with BatchNormalization and Dropout, built on their first call."""

    def __init__(self) -> None:
        layers = keras.layers
        self.net = keras.Sequential(
            [layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(1)]
        )

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.net(inputs["x"], training=training)}


class Noisy(Line):
    """Model with a stateless random op that is seeded by the step."""

    def __call__(self, inputs: Any, training: bool, seed: Any) -> Any:
        x = inputs["x"]
        return super().__call__({"x": x + tf.random.stateless_normal(tf.shape(x), seed) if training else x}, training)


def v1_momentum(global_step: Any, _scale: Any) -> Any:
    def decayed(global_step: Any) -> Any:
        return v1.train.exponential_decay(0.1, global_step, decay_steps=5, decay_rate=0.5)

    return v1.train.MomentumOptimizer(rate_of_step(decayed, global_step), 0.9)


ADAMW = keras.optimizers.AdamW
CASES: dict[str, dict[str, Any]] = {
    "plain TensorFlow": {},
    "compiled": {"compile": "xla"},
    "tf.Module": {"make_model": Module},
    "Keras layers": {"make_model": Net},
    "seeded random op": {"make_model": Noisy},
    "tf.data": {"data": lambda: Streamed(dataset, batch_size=8, shuffle_buffer=16)},
    "graph-mode optimizer with decay": {"make_optimizer": v1_momentum},
    "AdamW with cosine and clipping": {
        "make_optimizer": lambda _step, _scale: ADAMW(
            keras.optimizers.schedules.CosineDecay(0.1, 20), global_clipnorm=1.0
        )
    },
    "moving average": {"make_optimizer": lambda _step, _scale: keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True)},
    "accumulation": {"make_optimizer": lambda _step, _scale: keras.optimizers.Adam(0.1, gradient_accumulation_steps=3)},
    "in order": {"data": lambda: InMemory(points(), batch_size=8, shuffle=False)},
}


class Stop(Callback):
    """Callback that stops a run regularly at a step, where the checkpoint callback then saves."""

    def __init__(self, at: int) -> None:

        self.schedule = Schedule(every_n_steps=at)

    def on_step_end(self, context: Context) -> None:
        context.request_stop("half")


@pytest.mark.parametrize("case", CASES)
def test_a_resume_in_mid_epoch_ends_with_the_same_bits(case, tmp_path) -> None:
    changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    run(straight, epochs=4, **changes)
    checkpoint = Checkpoint(every_n_epochs=1)
    assert run(resumed, {"stop": Stop(7), "checkpoint": checkpoint}, epochs=4, **changes).global_step == 7
    assert (resumed / "checkpoints" / "model-1+2.json").exists()
    changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
    assert run(resumed, epochs=4, steps_per_call=3, **changes).global_step == 20
    assert_same_bits(straight / "checkpoints" / "model-4", resumed / "checkpoints" / "model-4")


@pytest.mark.parametrize("case", ["plain TensorFlow", "compiled", "Keras layers", "tf.data"])
def test_the_number_of_steps_per_call_changes_no_bit(case, tmp_path) -> None:
    for per_call in (1, 4, None):
        changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
        run(tmp_path / str(per_call), {"c": Checkpoint(every_n_epochs=4)}, epochs=4, steps_per_call=per_call, **changes)
    for per_call in (4, None):
        assert_same_bits(tmp_path / "1/checkpoints/model-4", tmp_path / str(per_call) / "checkpoints/model-4")


@pytest.mark.parametrize("case", ["plain TensorFlow", "tf.data"])
def test_a_call_that_is_longer_than_its_plans_changes_no_bit(case, tmp_path) -> None:
    """Runs 250 steps in one call: two complete plans and a part of the third."""
    assert 2 * STEPS_AHEAD < 250 < 3 * STEPS_AHEAD
    for per_call in (1, 250):
        changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
        saves = {"c": Checkpoint(every_n_epochs=50)}
        run(tmp_path / str(per_call), saves, epochs=50, steps_per_call=per_call, **{**changes, "compile": "off"})
    assert_same_bits(tmp_path / "1/checkpoints/model-50", tmp_path / "250/checkpoints/model-50")


class Watch(Callback):
    """Callback that records its calls and the bits of all variables."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.seen: list[tuple[int, int, bytes]] = []

    def on_step_end(self, context: Context) -> None:
        variables = context.session.graph.get_collection("variables")
        values = context.session.run({variable.op.name: variable for variable in variables})
        bits = b"".join(values[name].tobytes() for name in sorted(values))
        self.seen.append((context.record.epoch, context.record.global_step, bits))


def random_schedule(rng: random.Random) -> Schedule:
    return Schedule(
        every_n_epochs=rng.choice([None, 1, 2, 3]),
        every_n_steps=rng.choice([None, rng.randint(1, 23)]),
    )


def one_run(directory: Path, seed: int, steps_per_call: int | None, mode: str) -> dict[str, object]:
    """Runs with the schedules of the seed; returns all results that must not depend on the calls."""
    rng = random.Random(seed)
    watches = [Watch(random_schedule(rng)) for _ in range(2)]
    saves = random_schedule(rng)
    callbacks = {
        "first": watches[0],
        "evaluate": Evaluate(every_n_epochs=rng.randint(1, 3)),
        "metrics": Metrics(),
        "checkpoint": Checkpoint(every_n_epochs=saves.every_n_epochs, every_n_steps=saves.every_n_steps, max_to_keep=0),
        "second": watches[1],
    }
    data = InMemory(points(60), 8, validation=0.25)
    run(directory, callbacks, epochs=7, data=data, steps_per_call=steps_per_call, compile=mode)
    lines = [timeless(json.loads(line)) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return {
        "visits": [watch.seen for watch in watches],
        "metrics": lines,
        "saves": sorted(path.name for path in (directory / "checkpoints").glob("*.index")),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", ["off", "xla"])
def test_random_schedules(tmp_path, seed, mode) -> None:
    by_one = one_run(tmp_path / "one", seed, 1, mode)
    fused = one_run(tmp_path / "fused", seed, random.Random(seed).choice([None, 5, 13, 1000]), mode)
    assert by_one == fused
    assert any("val_loss" in line for line in by_one["metrics"])
    for name in by_one["saves"]:
        stem = name.removesuffix(".index")
        assert_same_bits(tmp_path / "one/checkpoints" / stem, tmp_path / "fused/checkpoints" / stem)
