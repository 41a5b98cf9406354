"""Callbacks chosen on the command line and in an experiment of the user's own."""

from __future__ import annotations

import pytest

STOPPING = "defaults:\n  - override /model: linear\n  - override /data: line\n  - override /callbacks: {choice}\n"


@pytest.fixture
def experiment(tmp_path):
    """Writes conf/experiment/mine.yaml with a choice of callbacks, and more lines after it."""

    def write(choice: str, more: str = "") -> list[str]:
        folder = tmp_path / "conf/experiment"
        folder.mkdir(parents=True)
        text = STOPPING.format(choice=choice)
        (folder / "mine.yaml").write_text(f"# @package _global_\n{text}loop: {{epochs: 1}}\n{more}")
        return ["experiment=mine", "--config-dir", "conf"]

    return write


SETTINGS = "callbacks: {early_stopping: {monitor: loss, patience: 3}}\n"


def test_an_experiment_adds_a_callback_and_keeps_its_settings(trainer, no_tensorflow, experiment) -> None:
    words = experiment("[default, early_stopping]", SETTINGS)
    done = trainer(*words, "+callbacks=metrics", "--cfg", "job", "-p", "callbacks.early_stopping", **no_tensorflow)
    assert "patience: 3" in done.stdout


def test_the_command_line_adds_to_the_experiment(trainer, no_tensorflow, tmp_path, experiment) -> None:
    (tmp_path / "conf/callbacks").mkdir(parents=True)
    node = "mine:\n  _target_: callbacks.progress.Progress\n"
    (tmp_path / "conf/callbacks/own.yaml").write_text(node)
    words = experiment("[default, early_stopping]", SETTINGS)
    done = trainer(*words, "+callbacks=own", "callbacks.mine.every_n_secs=7", "--cfg", "job", **no_tensorflow)
    assert done.returncode == 2  # the key is not in the file
    done = trainer(*words, "+callbacks=own", "+callbacks.mine.every_n_secs=7", "--cfg", "job", **no_tensorflow)
    assert done.returncode == 0, done.stderr
    for name in ("checkpoint:", "early_stopping:", "mine:", "every_n_secs: 7", "patience: 3"):
        assert name in done.stdout


# The experiment's choice and settings, what is typed, and what of the answer names the mistake and the remedy.
REFUSED = [
    ("early_stopping", "", [], "- override /callbacks: [default, early_stopping]"),
    ("[default, early_stopping]", SETTINGS, ["callbacks=default"], "does not hold early_stopping"),
    ("[default]", "", ["callbacks=early_stopping"], "+callbacks=early_stopping"),
    ("[default]", "", ["+callbacks=flat"], "early_stopping:\n    _target_:"),
    ("flat", "", [], "early_stopping:\n    _target_:"),
    ("[default]", SETTINGS, [], "add it with +callbacks=early_stopping"),
    ("[default]", "", ["+callbacks@callbacks.x=early_stopping"], "callbacks.x holds the node"),
]


@pytest.mark.parametrize(("choice", "settings", "typed", "answer"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_wrong_form_gets_the_right_one(trainer, no_tensorflow, tmp_path, experiment, choice, settings, typed, answer):
    (tmp_path / "conf/callbacks").mkdir(parents=True)
    (tmp_path / "conf/callbacks/flat.yaml").write_text("_target_: callbacks.early_stopping.EarlyStopping\n")
    done = trainer(*experiment(choice, settings), *typed, **no_tensorflow)
    assert done.returncode == 2, done.stdout
    assert answer in done.stderr
    assert len(done.stderr.splitlines()) < 6
    assert not (tmp_path / "outputs").exists()


def test_a_choice_twice_gets_the_right_form(trainer, no_tensorflow, tmp_path) -> None:
    (tmp_path / "conf/experiment").mkdir(parents=True)
    text = "# @package _global_\ndefaults:\n  - /callbacks: early_stopping\n  - override /model: linear\n"
    (tmp_path / "conf/experiment/mine.yaml").write_text(text)
    done = trainer("experiment=mine", "--config-dir", "conf", **no_tensorflow)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "- override /callbacks: [default, early_stopping]" in done.stderr


def test_a_choice_that_drops_the_experiments_own_says_so(trainer, tmp_path, experiment) -> None:
    words = experiment("[default, early_stopping]")
    done = trainer(*words, "callbacks=default")
    assert done.returncode == 0, done.stderr
    assert "callbacks=default leaves out early_stopping of the experiment's own choice" in done.stdout
    kept = trainer(*words, "callbacks=default", "~callbacks.freeze", "run.name=again")
    assert "freeze" not in kept.stdout.split("early_stopping")[0]


def test_an_experiment_without_its_first_line_is_told_it(trainer, no_tensorflow, tmp_path) -> None:
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/mine.yaml").write_text("# Mine\ndefaults:\n  - override /model: linear\n")
    done = trainer("experiment=mine", "--config-dir", "conf", **no_tensorflow)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "lacks '# @package _global_'" in done.stderr
