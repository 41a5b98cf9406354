"""Savers under other names: subclasses, second savers, other names in the config."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.nan_guard import NanGuard
from tests.damage import flip
from tests.helpers import Line, assert_same_bits, job, run
from trainer.callback import Callback, Context
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import RequestError, TrainerError
from trainer.runs.directory import RunDirectory
from trainer.training.callback_list import CallbackList
from trainer.training.train import train_job


class Mine(Checkpoint):
    """Saver class of a user."""


class Stop(Callback):
    """Callback that interrupts a run at a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_call_end(self, context: Context, steps) -> None:
        if steps.first_step + len(steps.values) > self._step:
            raise KeyboardInterrupt


def test_a_subclass_under_another_name_and_prefix_is_resumed_and_ranked(tmp_path) -> None:
    def saver(every_n_epochs: int = 1) -> dict[str, Callback]:
        return {"saver": Mine(prefix="mine", keep_best=1, monitor="error", every_n_epochs=every_n_epochs)}

    run(tmp_path / "a", saver(), epochs=2)
    assert run(tmp_path / "a", {**saver(), "freeze": Freeze(which="best")}, epochs=4).epoch == 4
    run(tmp_path / "b", saver(), epochs=4)
    assert_same_bits(tmp_path / "a/checkpoints/mine-4", tmp_path / "b/checkpoints/mine-4")
    best = resolve_checkpoint(f"{tmp_path / 'a'}@best")
    errors = {each.name: each.record.metrics["error"] for each in [best, resolve_checkpoint(tmp_path / "a")]}
    assert errors[best.name] == min(errors.values())
    assert RunDirectory(tmp_path / "a").info().best_checkpoint == f"checkpoints/{best.name}"


def test_of_two_savers_the_newest_checkpoint_is_resumed_from(tmp_path) -> None:
    def savers() -> dict[str, Callback]:
        return {
            "epochs": Checkpoint(every_n_epochs=2),
            "often": Mine(prefix="often", every_n_epochs=None, every_n_steps=3, max_to_keep=2),
            "weights": Checkpoint(prefix="weights", var_list=["w"], every_n_epochs=1),
        }

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", {**savers(), "stop": Stop(14)}, epochs=4, steps_per_call=1)
    start = job(tmp_path / "killed", savers()).start
    assert start.record.name == "often-12"
    run(tmp_path / "killed", savers(), epochs=4)
    run(tmp_path / "straight", savers(), epochs=4)
    for name in ("model-4", "often-20", "weights-4"):
        assert_same_bits(tmp_path / f"killed/checkpoints/{name}", tmp_path / f"straight/checkpoints/{name}")


def two_savers() -> dict[str, Callback]:
    return {"epochs": Checkpoint(), "often": Mine(prefix="often", every_n_epochs=None, every_n_steps=3)}


def test_a_damaged_checkpoint_of_either_saver_is_told_and_set_aside(tmp_path) -> None:
    run(tmp_path / "run", two_savers(), epochs=2)
    flip(tmp_path / "run/checkpoints/often-10.data-00000-of-00001")
    start = job(tmp_path / "run", two_savers()).start
    assert (start.record.name, [each.name for each in start.skipped]) == ("model-2", ["often-10"])
    run(tmp_path / "run", two_savers(), epochs=3)
    assert (tmp_path / "run/checkpoints/damaged/often-10.index").is_file()


def test_a_saver_without_any_good_checkpoint_is_told(tmp_path) -> None:
    run(tmp_path / "run", two_savers(), epochs=2)
    for data in (tmp_path / "run/checkpoints").glob("often-*.data-*"):
        flip(data)
    start = job(tmp_path / "run", two_savers()).start
    assert start.record.name == "model-2"
    assert "often-10.data" in start.skipped[-1].reason


def test_the_best_needs_a_saver_that_keeps_it() -> None:
    freeze = Freeze(which="best")
    with pytest.raises(RequestError, match=r"callbacks.f: which=best needs callbacks.c.keep_best=1"):
        CallbackList({"c": Checkpoint(), "f": freeze})
    with pytest.raises(RequestError, match=r"callbacks.f: which=best needs callbacks.c.var_list=null"):
        CallbackList({"c": Checkpoint(keep_best=1, var_list=["w"]), "f": freeze})
    with pytest.raises(RequestError, match=r"callbacks.f: which=best needs callbacks.checkpoint.keep_best=1"):
        CallbackList({"f": freeze})
    CallbackList({"a": Mine(), "b": Mine(keep_best=1, prefix="best"), "f": freeze})


def test_a_guard_of_any_name_rolls_back(tmp_path) -> None:
    parts = {"rate_can_be_scaled": True, "callbacks": {"any": NanGuard(action="rollback"), "c": Checkpoint()}}
    assert job(tmp_path / "run", **parts).may_roll_back
    assert not job(tmp_path / "run", {"any": NanGuard()}, rate_can_be_scaled=True).may_roll_back


def test_a_model_that_counts_the_global_step_too_is_told(tmp_path) -> None:
    class Counting(Line):
        def __call__(self, inputs, training):
            if training:
                self.step.assign_add(1)
            return super().__call__(inputs, training)

        def __init__(self) -> None:
            super().__init__()
            self.step = tf.compat.v1.train.get_global_step()

    with pytest.raises(TrainerError, match="the graph counts 2 steps and the loop 1"):
        train_job(job(tmp_path / "run", make_model=Counting))
    assert not list((tmp_path / "run/checkpoints").glob("*.index"))
    assert keras.config.backend() == "tensorflow"
