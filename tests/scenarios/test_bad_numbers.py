"""A loss or a weight that is not finite; random ops that a resume cannot repeat."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.nan_guard import NanGuard
from tests.helpers import Line, points, run, variables
from trainer.callback import Callback, Context
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import NonFiniteError, TrainerError
from trainer.graph.optimizers.learning_rates import rate_of_step
from trainer.schedule import Schedule


class NanAt(Line):
    """A loss that is no number for one example."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        bad = tf.reduce_any(labels["y"] > 1e6)
        return super().loss(outputs, labels) * tf.where(bad, np.nan, 1.0)


def poisoned() -> Arrays:
    arrays = points()
    arrays.labels["y"][13] = 1e9
    return arrays


@pytest.mark.parametrize("per_call", [1, 4, None])
def test_12_a_loss_that_is_no_number_stops_with_its_step(tmp_path, per_call) -> None:
    data = InMemory(poisoned(), batch_size=8, shuffle=False)
    parts = {"g": NanGuard(), "c": Checkpoint(every_n_epochs=None, every_n_steps=1)}
    message = r"^loss is nan after step 2: SelectV2 \(.*test_bad_numbers.py:\d+\) gave nan"
    with pytest.raises(NonFiniteError, match=message):
        run(tmp_path / "run", parts, data=data, make_model=NanAt, steps_per_call=per_call)
    assert [path.stem for path in (tmp_path / "run/checkpoints").glob("*.json")] == ["model-1"]
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "failed"


def test_12_a_variable_that_is_no_number_is_never_committed(three) -> None:
    class Poison(Callback):
        schedule = Schedule(every_n_epochs=1)

        def on_step_end(self, context: Context) -> None:
            (w,) = [v for v in context.session.graph.get_collection("variables") if v.op.name == "w"]
            w.load([[np.inf], [0.0]], context.session)

    before = {path: path.read_bytes() for path in (three / "checkpoints").glob("*.json")}
    with pytest.raises(NonFiniteError, match=r"the variable w is inf after step 20"):
        run(three, {"p": Poison(), "c": Checkpoint(every_n_epochs=1)}, epochs=5)
    assert {path: path.read_bytes() for path in (three / "checkpoints").glob("*.json")} == before


def poisoned_dataset() -> tf.data.Dataset:
    arrays = poisoned()
    return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (lambda: InMemory(poisoned(), batch_size=8, shuffle=False), "off"),
        (lambda: InMemory(poisoned(), batch_size=8, shuffle=False), "xla"),
        (lambda: Streamed(poisoned_dataset, batch_size=8, shuffle_buffer=0), "off"),
    ],
    ids=["in memory", "compiled", "tf.data"],
)
def test_12_a_rollback_leaves_the_batch_out_and_lowers_the_rate(tmp_path, data, mode) -> None:

    changes: dict[str, Any] = {
        "make_optimizer": lambda step, scale: keras.optimizers.SGD(rate_of_step(0.1, step, scale)),
        "make_model": NanAt,
        "rate_can_be_scaled": True,
        "compile": mode,
    }
    parts = {"g": NanGuard(action="rollback", max_rollbacks=2), "c": Checkpoint(every_n_epochs=None, every_n_steps=1)}
    run(tmp_path / "run", parts, data=data(), epochs=1, **changes)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert [(each["step"], each["to"]) for each in facts["rollbacks"]] == [(2, "model-1")]
    stored = variables(tmp_path / "run/checkpoints/model-5")
    assert stored["rollback/rate_scale"] == 0.5
    # The same steps in NumPy: batch 1 is left out, so step 2 takes batch 2 and so on; the last takes batch 0 again.
    clean = points()
    x, y = clean.inputs["x"], clean.labels["y"]
    first = variables(tmp_path / "run/checkpoints/model-1")
    w, b = first["w"].astype(float), first["b"].astype(float)
    for batch in (2, 3, 4, 0):
        part = slice(8 * batch, 8 * batch + 8)
        error = x[part] @ w + b - y[part]
        w, b = w - 0.05 * 2 * x[part].T @ error / 8, b - 0.05 * 2 * error.sum(axis=0) / 8
    assert stored["w"] == pytest.approx(w, rel=1e-4, abs=1e-5)
    assert stored["b"] == pytest.approx(b, rel=1e-4, abs=1e-5)


def test_12_rollbacks_are_counted(tmp_path) -> None:
    class Always(Line):
        def loss(self, outputs: Any, labels: Any) -> Any:
            return super().loss(outputs, labels) * np.nan

    parts = {"g": NanGuard(action="rollback", max_rollbacks=2), "c": Checkpoint()}
    optimizer = {"make_optimizer": lambda step, scale: keras.optimizers.SGD(rate_of_step(0.1, step, scale))}
    with pytest.raises(NonFiniteError, match="loss is nan after step 1"):
        run(tmp_path / "run", parts, make_model=Always, rate_can_be_scaled=True, **optimizer)
    assert len(json.loads((tmp_path / "run/run.json").read_text())["rollbacks"]) == 2


def test_12_a_table_keeps_its_entries_so_a_rollback_needs_a_checkpoint(tmp_path) -> None:
    class Counted(NanAt):
        def __init__(self) -> None:
            super().__init__()
            self.seen = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="seen")

    parts = {"g": NanGuard(action="rollback"), "c": Checkpoint()}
    changes: dict[str, Any] = {
        "make_optimizer": lambda step, scale: keras.optimizers.SGD(rate_of_step(0.1, step, scale)),
        "data": InMemory(poisoned(), batch_size=8, shuffle=False),
    }
    with pytest.raises(TrainerError, match=r"no checkpoint to roll back to .* the table of seen-keys"):
        run(tmp_path / "run", parts, make_model=Counted, rate_can_be_scaled=True, **changes)


def test_a_stateful_random_op_is_reported_with_its_name(tmp_path, caplog) -> None:
    class Noisy(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            noise = tf.random.normal([8, 2], name="my_noise") if training else 0.0
            return super().__call__({"x": inputs["x"] + noise}, training)

    run(tmp_path / "run", {}, make_model=Noisy, epochs=1)
    assert "my_noise" in caplog.text
    assert "tf.random.stateless" in caplog.text


@pytest.mark.parametrize("mode", ["off", "xla"])
def test_12_a_step_that_the_optimizer_leaves_out_is_no_failure(tmp_path, mode) -> None:
    changes: dict[str, Any] = {
        "make_optimizer": lambda *_: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        "make_model": NanAt,
        "data": InMemory(poisoned(), batch_size=8, shuffle=False),
        "compile": mode,
    }
    parts = {"g": NanGuard(), "c": Checkpoint(every_n_epochs=None, every_n_steps=1)}
    run(tmp_path / "run", parts, epochs=1, **changes)
    before, after, last = (variables(tmp_path / f"run/checkpoints/model-{step}") for step in (1, 2, 5))
    assert np.array_equal(before["w"], after["w"])
    assert not np.array_equal(before["w"], last["w"])


def test_12_a_loss_that_is_never_a_number_is_one(tmp_path) -> None:
    class Always(Line):
        def loss(self, outputs: Any, labels: Any) -> Any:
            return super().loss(outputs, labels) * np.nan

    optimizer = {"make_optimizer": lambda *_: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))}
    with pytest.raises(NonFiniteError, match="loss is nan after step 101"):
        run(tmp_path / "run", {"g": NanGuard()}, make_model=Always, epochs=40, **optimizer)
