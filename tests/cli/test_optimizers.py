"""Optimizers of a config: files of the group as parts, what a part may ask for, names in the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.helpers import variables
from trainer.cli.optimizers import rates_are_set

MINE = """# @package _global_
defaults:
  - /optimizer@optimizer.parts.critic: adamw_cosine
  - /optimizer@optimizer.parts.maker: momentum_v1
  - override /model: gan
  - override /data: ring
  - override /optimizer: several
  - _self_
optimizer:
  in_turn: [maker, critic]
  parts:
    critic:
      variables: [discriminator/*]
      loss: discriminator_loss
      exclude_from_weight_decay: ["*/biases"]
    maker:
      variables: [generator/*]
      loss: generator_loss
      every_n_steps: 3
loop: {epochs: 2}
callbacks: {checkpoint: {every_n_epochs: 1}, nan_guard: {action: rollback}}
"""


@pytest.fixture
def mine(tmp_path) -> list[str]:
    """Arguments that choose an experiment of a user's own."""
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/mine.yaml").write_text(MINE)
    return ["--config-dir", str(tmp_path / "conf"), "+experiment=mine", f"run.dir={tmp_path / 'run'}"]


def test_files_of_the_group_are_parts_and_a_resume_goes_on(trainer, mine, tmp_path) -> None:
    assert trainer(*mine, "loop.epochs=1").returncode == 0
    done = trainer(*mine, "resume=auto")
    assert done.returncode == 0, done.stderr
    stored = variables(tmp_path / "run/checkpoints/model-2")
    assert {"generator/dense_0/weights/Momentum", "optimizer_critic/iteration", "rollback/rate_scale"} <= stored.keys()
    assert int(stored["optimizer_critic/iteration"]) == stored["global_step"] == 100
    assert Path(tmp_path / "run/export/frozen/model.pb").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.parts.critic.every_n_step=2", "did you mean +optimizer.parts.critic.every_n_steps?"),
        ("optimizer.parts.critic.loss=discriminator_los", "did you mean discriminator_loss?"),
        (
            "optimizer.parts.maker.variables=[gen/*]",
            "optimizer.parts.maker.variables: 'gen/*' matches no trained variable",
        ),
        ("+optimizer.parts.critic.clipnorm=tight", "optimizer.parts.critic.clipnorm ('tight') must be a number"),
        ("optimizer.parts.critic.exclude_from_weight_decay=[x/*]", "critic.exclude_from_weight_decay: 'x/*'"),
    ],
)
def test_a_mistake_in_a_part_is_refused_by_its_key(trainer, mine, tmp_path, setting, message) -> None:
    done = trainer(*mine, setting)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting", ["optimizer.in_turn=[maker]", "optimizer.parts.maker.every_n_steps=0", "optimizer=adam"]
)
def test_what_can_be_told_without_tensorflow_is(trainer, mine, no_tensorflow, setting) -> None:
    done = trainer(*mine, setting, **no_tensorflow)
    assert done.returncode == 2
    assert "TensorFlow was imported" not in done.stderr


def test_a_rollback_needs_the_rates_of_all_parts() -> None:
    def node(*parts: Any) -> Any:
        named = {f"part_{i}": part for i, part in enumerate(parts)}
        return OmegaConf.create({"_target_": "trainer.Optimizers", "parts": named})

    with_rate, without = {"learning_rate": 0.1}, {"_target_": "my.make"}
    assert rates_are_set(node(with_rate, with_rate))
    assert not rates_are_set(node(with_rate, without))
    assert rates_are_set(OmegaConf.create(with_rate))
