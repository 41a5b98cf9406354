"""Nodes with another target replace the node that is there, wherever they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from trainer.config import schema
from trainer.config.replaced_nodes import merged
from trainer.config.sources import ConfigSources, conf_directory

ADAM = "tensorflow.compat.v1.train.AdamOptimizer"
LION = "keras.optimizers.Lion"
DECAY = "keras.optimizers.schedules.ExponentialDecay"

EXPERIMENT = f"""# @package _global_
defaults:
  - override /model: linear
  - override /data: line
  - override /optimizer: adamw_cosine
loop: {{epochs: 2}}
optimizer:
  learning_rate: {{_target_: {DECAY}, initial_learning_rate: 0.1}}
callbacks:
  checkpoint: {{max_to_keep: 2}}
  freeze: {{_target_: mine.Freeze, size: 3}}
"""

OTHER = f"# @package _global_\noptimizer: {{_target_: {ADAM}, learning_rate: 0.1}}\ndata: {{_target_: mine.Data}}\n"


@pytest.fixture
def own(tmp_path) -> Path:
    for name, text in {"experiment/mine": EXPERIMENT, "other/mine": OTHER}.items():
        file = tmp_path / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def compose(overrides: Sequence[str], own: Path | None = None) -> Any:
    schema.register()
    return OmegaConf.to_container(ConfigSources(conf_directory(), own).compose(list(overrides)))


def test_an_experiment_replaces_nodes_at_any_depth_and_merges_the_others(own) -> None:
    config = compose(["+experiment=mine"], own)
    rate = {"_target_": DECAY, "initial_learning_rate": 0.1}
    assert config["optimizer"] == {"_target_": "keras.optimizers.AdamW", "learning_rate": rate, "weight_decay": 0.004}
    assert config["callbacks"]["freeze"] == {"_target_": "mine.Freeze", "size": 3}
    checkpoint = config["callbacks"]["checkpoint"]
    assert (checkpoint["max_to_keep"], checkpoint["prefix"]) == (2, "model")


def test_a_file_of_the_users_own_groups_replaces_what_an_experiment_has(own) -> None:
    config = compose(["+experiment=mine", "+other=mine"], own)
    assert config["optimizer"] == {"_target_": ADAM, "learning_rate": 0.1}
    assert config["data"] == {"_target_": "mine.Data"}


OVERRIDES: dict[str, tuple[list[str], str, Any]] = {
    "target": ([f"optimizer._target_={LION}"], "optimizer", {"_target_": LION}),
    "keys after it": (
        [f"optimizer._target_={LION}", "optimizer.learning_rate=0.3", "optimizer.beta_1=0.8"],
        "optimizer",
        {"_target_": LION, "learning_rate": 0.3, "beta_1": 0.8},
    ),
    "keys before it": (
        ["optimizer.learning_rate=0.3", f"optimizer._target_={LION}"],
        "optimizer",
        {"_target_": LION, "learning_rate": 0.3},
    ),
    "a deleted key": (["~optimizer.momentum", f"optimizer._target_={LION}"], "optimizer", {"_target_": LION}),
    "an added key": ([f"optimizer._target_={LION}", "+optimizer.x=1"], "optimizer", {"_target_": LION, "x": 1}),
    "a mapping": (
        [f"optimizer={{_target_: {LION}, learning_rate: 0.2}}"],
        "optimizer",
        {"_target_": LION, "learning_rate": 0.2},
    ),
    "a nested node": (
        ["optimizer=adamw_cosine", f"optimizer.learning_rate={{_target_: {DECAY}, decay_rate: 0.5}}"],
        "optimizer.learning_rate",
        {"_target_": DECAY, "decay_rate": 0.5},
    ),
    "a nested target": (
        ["optimizer=adamw_cosine", "optimizer.learning_rate._target_=mine.f", "optimizer.learning_rate.x=3"],
        "optimizer.learning_rate",
        {"_target_": "mine.f", "x": 3},
    ),
    "a callback": (["callbacks.metrics._target_=mine.Metrics"], "callbacks.metrics", {"_target_": "mine.Metrics"}),
    "a group chosen in the same line": (
        ["optimizer=adam", f"optimizer._target_={LION}"],
        "optimizer",
        {"_target_": LION},
    ),
    "the same target": (
        ["optimizer._target_=keras.optimizers.SGD", "optimizer.momentum=0.5"],
        "optimizer",
        {"_target_": "keras.optimizers.SGD", "learning_rate": 0.05, "momentum": 0.5},
    ),
}


@pytest.mark.parametrize(("overrides", "key", "expected"), OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_replaces_a_node(overrides, key, expected) -> None:
    config = compose(["+experiment=linear", *overrides])
    assert OmegaConf.select(OmegaConf.create(config), key) == expected


def test_a_target_that_is_yet_to_be_set_is_no_other_one() -> None:
    config = compose(["+experiment=linear", "data=dataset", "data.dataset._target_=mine.f"])
    assert config["data"]["dataset"] == {"_target_": "mine.f", "_partial_": True}


def test_the_job_of_a_sweep_and_the_completion_see_the_same(own) -> None:
    schema.register()
    sources = ConfigSources(conf_directory(), own)
    first = sources.compose_first(["+experiment=mine", f"optimizer._target_={ADAM},{LION}"])
    assert OmegaConf.to_container(first.optimizer) == {"_target_": ADAM}


def test_a_file_of_the_user_replaces_a_shipped_one_of_the_same_name(trainer, own) -> None:
    (own / "experiment/linear.yaml").write_text(EXPERIMENT)
    (own / "model").mkdir()
    (own / "model/mlp.yaml").write_text("_target_: mine.Net\n")
    assert compose(["+experiment=linear", "model=mlp"], own)["model"] == {"_target_": "mine.Net"}
    done = trainer("+experiment=linear", "model=mlp", "--config-dir", str(own), "--cfg", "job")
    assert "_target_: mine.Net" in done.stdout
    assert "_target_: keras.optimizers.AdamW" in done.stdout


def test_a_run_from_the_command_line(trainer, own, tmp_path) -> None:
    done = trainer("+experiment=linear", "+other=mine", "data=line", "--config-dir", str(own), "--cfg", "job")
    assert f"_target_: {ADAM}\n  learning_rate: 0.1\n" in done.stdout
    assert "momentum" not in done.stdout


def test_lists_and_scalars_take_the_place_of_what_was_there() -> None:
    assert merged({"a": [1, 2], "b": {"c": 1}}, {"a": [3], "b": 4}) == {"a": [3], "b": 4}
    assert merged({"a": 1}, {"a": {"_target_": "x.Y"}}) == {"a": {"_target_": "x.Y"}}
