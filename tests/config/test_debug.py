"""Debug choices: what they change in a config, in which order, and each on all shipped experiments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tests.test_conformance import builds_on, earlier_runs
from trainer.cli.train import conf_directory
from trainer.config import schema
from trainer.config.debug import CHOICES, apply_debug
from trainer.errors import RequestError

__all__ = ["earlier_runs"]

EXPERIMENTS = sorted(path.stem for path in (conf_directory() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("choice", [*CHOICES, None])
def test_each_choice_is_a_file_of_the_group(choice) -> None:
    schema.register()
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        config = compose("train", ["+experiment=linear", *([f"+debug={choice}"] if choice else [])])
    assert config.debug == choice
    apply_debug(config)
    assert {path.stem for path in (conf_directory() / "debug").glob("*.yaml")} == set(CHOICES)


@pytest.mark.parametrize(
    ("node", "changed"),
    [
        ({"every_n_epochs": 10}, {"every_n_epochs": 1}),
        ({"every_n_epochs": None, "every_n_secs": 60}, {"every_n_epochs": 1, "every_n_secs": 60}),
        ({"patience": 3}, {"patience": 3}),
    ],
)
def test_fast_makes_each_callback_due(node, changed) -> None:
    config = OmegaConf.create({"debug": "fast", "resume": "never", "callbacks": {"c": node}, "data": {"batch_size": 2}})
    apply_debug(config)
    assert (config.callbacks.c, config.data) == (changed, {"batch_size": 2})


def test_fast_counts_no_data() -> None:
    data = {"steps_per_epoch": None, "validation_steps": None}
    config = OmegaConf.create({"debug": "fast", "resume": "never", "callbacks": {}, "data": data})
    apply_debug(config)
    assert config.data == {"steps_per_epoch": 3, "validation_steps": 2}


@pytest.mark.parametrize("choice", CHOICES)
def test_a_resume_is_refused_but_to_find_a_nan(choice) -> None:
    config = OmegaConf.create({"debug": choice, "resume": "latest", "callbacks": {}, "data": {}})
    if choice == "numerics":
        apply_debug(config)
    else:
        with pytest.raises(RequestError, match=f"debug={choice} takes no run that is there; leave out resume=latest"):
            apply_debug(config)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["+debug=fst"], "did you mean fast?"),
        (["debug=fast", "resume=latest"], "leave out resume=latest"),
    ],
)
def test_mistakes_are_told_without_tensorflow(trainer, no_tensorflow, words, told, tmp_path) -> None:
    done = trainer("+experiment=linear", *words, **no_tensorflow)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["debug=fast", "+experiment=digits_cnn"], ["+experiment=digits_cnn", "+debug=fast"]])
def test_a_choice_wins_over_the_experiment_and_a_typed_key_over_both(trainer, words) -> None:
    shown = trainer(*words, "--cfg", "job", "-p", "loop").stdout
    assert "epochs: 2\n" in shown
    assert "steps_per_epoch: 3\n" in shown
    assert "epochs: 5\n" in trainer(*words, "loop.epochs=5", "--cfg", "job", "-p", "loop").stdout


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_fast_takes_every_experiment_through_all_its_callbacks(experiment, trainer, earlier_runs, tmp_path) -> None:
    for earlier in builds_on(experiment):
        (tmp_path / "outputs").mkdir()
        (tmp_path / "outputs" / earlier).symlink_to(earlier_runs(earlier))
    done = trainer("+debug=fast", f"+experiment={experiment}", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (run,) = tmp_path.glob(f"graph-trainer-*/{experiment}/*")
    info = json.loads((run / "run.json").read_text())
    assert (info["status"], info["epoch"], info["global_step"]) == ("finished", 2, 6)
    assert (run / "checkpoints/model-2.index").is_file()
    assert info["exports"] == ["export/frozen/model.pb", "export/saved_model/2"]
    assert not Path(tmp_path / "outputs" / experiment).exists()


@pytest.mark.parametrize("experiment", ["linear", "digits_cnn", "text"])
def test_one_batch_can_be_learnt(experiment, trainer, tmp_path) -> None:
    done = trainer("debug=overfit", f"+experiment={experiment}", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "so the model can learn it" in done.stdout
    (run,) = tmp_path.glob(f"graph-trainer-*/{experiment}/*")
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "metrics.jsonl", "run.json"]


@pytest.mark.parametrize("experiment", ["linear", "digits_cnn", "text", "two_towers", "wide_and_deep", "gan"])
def test_shapes_are_shown_without_a_run(experiment, trainer, tmp_path) -> None:
    done = trainer("debug=shapes", f"+experiment={experiment}")
    assert done.returncode == 0, done.stderr
    assert "parameters" in done.stdout
    assert not list(tmp_path.iterdir())
