"""Directories of configs: what is composed from them and what they choose."""

from __future__ import annotations

import pytest

from trainer.config import schema
from trainer.config.sources import ConfigSources, conf_directory

MINE = """# @package _global_
defaults:
  - override /model: linear
  - override /data: line
  - override /callbacks: [default, early_stopping]
"""


@pytest.fixture
def sources(tmp_path) -> ConfigSources:
    schema.register()
    (tmp_path / "my conf/experiment").mkdir(parents=True)
    (tmp_path / "my conf/experiment/mine.yaml").write_text(MINE)
    return ConfigSources(conf_directory(), tmp_path / "my conf")


def test_own_configs_are_composed_beside_the_shipped_ones(sources) -> None:
    assert sources.compose(["+experiment=mine", "loop.epochs=3"]).callbacks.early_stopping.patience == 10
    assert {"mine", "linear"} <= set(sources.choices("experiment"))
    assert "mine" not in ConfigSources(conf_directory()).choices("experiment")


# Overrides of a sweep, and the seed and the optimizer of its first job.
SWEEPS = [
    (["seed=4,5"], 4, "SGD"),
    (["seed=range(3,9)", "optimizer=adam,sgd"], 3, "Adam"),
    (["seed=choice(7,8)", "optimizer=glob(adamw*)"], 7, "AdamW"),
    (["seed=interval(1,2)", "hydra.sweep.dir=x"], 0, "SGD"),
    (["seed=9"], 9, "SGD"),
]


@pytest.mark.parametrize(("overrides", "seed", "optimizer"), SWEEPS, ids=str)
def test_the_first_job_of_a_sweep(sources, overrides, seed, optimizer) -> None:
    config = sources.compose_first(["+experiment=mine", *overrides])
    assert (config.seed, config.optimizer._target_.rpartition(".")[2]) == (seed, optimizer)


CHOSEN = [
    ([], ["default"]),
    (["+experiment=linear"], ["default"]),
    (["+experiment=mine"], ["default", "early_stopping"]),
    (["+experiment=mine", "callbacks=default"], ["default"]),
    (["callbacks=[checkpoint,metrics]"], ["checkpoint", "metrics"]),
    (["callbacks=[]"], []),
    (["+experiment=linear", "seed=1,2"], ["default"]),
]


@pytest.mark.parametrize(("overrides", "chosen"), CHOSEN)
def test_the_choice_of_a_group_is_known_before_a_run(sources, overrides, chosen) -> None:
    assert sources.chosen("callbacks", overrides) == chosen
