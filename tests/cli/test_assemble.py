"""Objects from a config: a run whose stored config has the keys of an earlier version."""

from __future__ import annotations

import json

import pytest

from tests.helpers import assert_same_bits

COMMON = ["+experiment=linear", "data.validation=0.25", "callbacks.checkpoint.every_n_epochs=2"]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run of six epochs that was never stopped."""
    from tests.processes import python

    cwd = tmp_path_factory.mktemp("straight")
    done = python("-m", "trainer", *COMMON, "loop.epochs=6", "run.dir=run", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run"


@pytest.fixture
def old_run(trainer, tmp_path):
    """A run of four epochs whose config is written as version 0.1.0 wrote it."""
    assert trainer(*COMMON, "loop.epochs=4", "run.dir=run").returncode == 0
    config = tmp_path / "run/config.yaml"
    text = config.read_text()
    assert text.count("  validation: 0.25\n") == 1
    config.write_text(text.replace("  validation: 0.25\n", "  held_out: 0.25\n"))
    return tmp_path / "run"


def test_a_run_with_old_keys_resumes_with_the_same_bits(trainer, old_run, straight) -> None:
    done = trainer(*COMMON, "loop.epochs=6", f"resume={old_run}")
    assert done.returncode == 0, done.stderr
    assert "resumed from model-4" in done.stdout
    assert json.loads((old_run / "run.json").read_text())["changes"] == ["loop.epochs: 4 -> 6"]
    assert_same_bits(old_run / "checkpoints/model-6", straight / "checkpoints/model-6")


def test_a_graph_is_built_by_a_config_with_old_keys(trainer, old_run, tmp_path) -> None:
    done = trainer("checkpoints", "freeze", str(old_run), "--from-config", "-o", "model.pb")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.pb").is_file()


def test_old_keys_in_data_of_the_users_own_get_their_names_of_today(trainer, no_tensorflow, tmp_path) -> None:
    (tmp_path / "conf/data").mkdir(parents=True)
    node = "_target_: trainer.data.arrays.InMemory\nbatch_size: 8\nheld_out: 0.2\nexamples: {_target_: mine.arrays}\n"
    (tmp_path / "conf/data/mine.yaml").write_text(node)
    done = trainer("+experiment=linear", "data=mine", "--config-dir", "conf", **no_tensorflow)
    assert (done.returncode, done.stderr) == (2, "error: there is no key data.held_out; it is data.validation now\n")
