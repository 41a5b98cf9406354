"""Runs with several optimizers: the same bits after a resume and for calls of any length; rollbacks; averages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.nan_guard import NanGuard
from tests.graph.steps.test_own_step import Wasserstein
from tests.graph.steps.test_updates import Gan, OfLayers
from tests.helpers import assert_same_bits, run, variables
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.graph.optimizers.learning_rates import rate_of_step
from trainer.graph.optimizers.optimizer_parts import OptimizerPart, Optimizers, naming

v1 = tf.compat.v1
ADAM = keras.optimizers.Adam


def real(examples: int = 40) -> Arrays:
    random = np.random.default_rng(0)
    z, x = random.normal(size=(examples, 2)), random.normal(3, 1, (examples, 1))
    return Arrays({"z": z.astype(np.float32)}, {"x": x.astype(np.float32)})


def stream() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((dict(real().inputs), dict(real().labels)))


def decayed(step: Any, scale: Any) -> Any:
    return rate_of_step(lambda global_step: v1.train.exponential_decay(0.1, global_step, 5, 0.5), step, scale)


def in_turn(step: Any, scale: Any) -> Any:
    """Optimizers of both families, one with averages and decay, that take turns and rest."""
    averaged = ADAM(rate_of_step(0.05, step, scale), use_ema=True, name="optimizer_g")
    return Optimizers(
        {
            "g": OptimizerPart(averaged, ["*g[_/]*"], "g_loss", 3),
            "d": OptimizerPart(v1.train.AdamOptimizer(decayed(step, scale)), ["*d[_/]*"], "d_loss", 2),
        },
        in_turn=["d", "g"],
    )


def at_once(step: Any, scale: Any) -> Any:
    return Optimizers(
        {
            "g": OptimizerPart(v1.train.FtrlOptimizer(rate_of_step(0.1, step, scale)), ["g/*"]),
            "d": OptimizerPart(keras.optimizers.Adagrad(rate_of_step(0.1, step, scale)), ["d/*"], every_n_steps=2),
        }
    )


def own(step: Any, scale: Any) -> Any:
    del step, scale
    return Optimizers({"d": OptimizerPart(ADAM(0.01), ["d/*"]), "g": OptimizerPart(ADAM(0.01), ["g/*"])})


CASES: dict[str, dict[str, Any]] = {
    "in turn": {"make_optimizer": in_turn},
    "in turn, layers": {"make_optimizer": in_turn, "make_model": OfLayers},
    "in turn, compiled": {"make_optimizer": in_turn, "compile": "xla"},
    "at once": {"make_optimizer": at_once},
    "at once, compiled": {"make_optimizer": at_once, "compile": "xla"},
    "at once, tf.data": {"make_optimizer": at_once, "data": lambda: Streamed(stream, batch_size=8, shuffle_buffer=16)},
    "a step of its own": {"make_optimizer": own, "make_model": Wasserstein},
    "a step of its own, compiled": {"make_optimizer": own, "make_model": Wasserstein, "compile": "xla"},
}


def train(directory: Path, case: str, callbacks: Any = None, **changes: Any) -> Path:
    """Trains the case, 5 steps an epoch; returns the directory of its checkpoints."""
    settings = {"make_model": Gan, "data": lambda: InMemory(real(), batch_size=8), **CASES[case], **changes}
    callbacks = callbacks or {"checkpoint": Checkpoint(every_n_steps=4, max_to_keep=9)}
    run(directory, callbacks, **{**settings, "data": settings["data"]()})
    return directory / "checkpoints"


@pytest.mark.parametrize("case", CASES)
def test_a_resume_and_calls_of_any_length_have_the_same_bits(tmp_path, case) -> None:
    straight = train(tmp_path / "straight", case)
    single = train(tmp_path / "single", case, steps_per_call=1)
    broken = train(tmp_path / "broken", case, epochs=1)
    for last in broken.glob("model-5.*"):
        last.unlink()  # as if it had been killed in the middle of an epoch
    train(tmp_path / "broken", case)
    for other in (single, broken):
        assert_same_bits(straight / "model-15", other / "model-15")
    first, last = variables(straight / "model-4"), variables(straight / "model-15")
    weights = [name for name in first if name.endswith(("g/a", "d/a", "kernel"))]
    assert weights
    assert all(not np.array_equal(first[name], last[name]) for name in weights)


def test_averages_of_one_part_are_exported_beside_the_weights_of_the_other(tmp_path) -> None:
    callbacks = {"checkpoint": Checkpoint(), "freeze": Freeze()}
    checkpoints = train(tmp_path / "run", "in turn", callbacks)
    stored = variables(checkpoints / "model-3")
    averages = {name: value for name, value in stored.items() if "average" in name}
    assert sorted(each.rpartition("/")[2][:3] for each in averages) == ["g_a", "g_b"]
    graph = v1.GraphDef.FromString((tmp_path / "run/export/frozen/model.pb").read_bytes())
    constants = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in graph.node if n.op == "Const"}
    for name, value in averages.items():
        assert any(np.array_equal(value, each) for each in constants.values()), name
    assert not any(np.array_equal(stored["g/a"], each) for each in constants.values())


class Breaking(Gan):
    """GAN whose loss is nan in step 8, once."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        losses = super().loss(outputs, labels)
        bad = tf.reduce_any(tf.equal(labels["x"], 1000.0))
        return {**losses, "g_loss": tf.where(bad, np.nan, losses["g_loss"])}


@pytest.mark.parametrize("case", ["in turn", "at once"])
def test_a_rollback_lowers_the_rates_of_all_parts(tmp_path, case) -> None:
    arrays = real()
    arrays.labels["x"][39] = 1000.0
    callbacks = {
        "checkpoint": Checkpoint(every_n_steps=2, max_to_keep=9),
        "nan_guard": NanGuard(action="rollback", rate_factor=0.5),
    }
    data = lambda: InMemory(arrays, batch_size=8, shuffle=False)  # noqa: E731
    train(tmp_path / "run", case, callbacks, make_model=Breaking, data=data, epochs=1, rate_can_be_scaled=True)
    info = json.loads((tmp_path / "run/run.json").read_text())
    assert info["status"] == "finished"
    assert len(info["rollbacks"]) >= 1
    newest = variables(tmp_path / f"run/checkpoints/model-{info['global_step']}")
    assert newest["rollback/rate_scale"] == pytest.approx(0.5 ** len(info["rollbacks"]))
    assert all(np.isfinite(value).all() for name, value in newest.items() if name[:2] in ("d/", "g/"))


def test_the_rates_of_a_resume_are_loaded_into_all_parts(tmp_path) -> None:
    def optimizers(rates: tuple[float, float]) -> Any:
        def part(name: str, rate: float) -> OptimizerPart:
            return OptimizerPart(ADAM(rate, **naming(ADAM, name)), [f"{name}/*"], f"{name}_loss")

        return lambda *_: Optimizers({name: part(name, rate) for name, rate in zip("dg", rates, strict=True)})

    def rates_in(number: int) -> list[float]:
        stored = variables(tmp_path / f"run/checkpoints/model-{number}")
        return [float(value) for name, value in sorted(stored.items()) if name.endswith("learning_rate")]

    def go(rates: tuple[float, float], epochs: int, *, new: bool = False) -> None:
        changes = {"make_optimizer": optimizers(rates), "epochs": epochs, "new_learning_rate": new}
        train(tmp_path / "run", "at once", {"checkpoint": Checkpoint()}, **changes)

    go((0.25, 0.5), 1)
    go((0.125, 1.0), 2)
    go((0.125, 1.0), 3, new=True)
    assert [rates_in(number) for number in (1, 2, 3)] == [[0.25, 0.5], [0.25, 0.5], [0.125, 1.0]]
