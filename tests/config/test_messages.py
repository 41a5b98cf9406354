"""Mistakes in overrides and in files of the user, and what is said of each."""

from __future__ import annotations

import pytest
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from trainer.config import schema
from trainer.config.messages import explain
from trainer.config.sources import ConfigSources, conf_directory

HEAD = "# @package _global_\ndefaults:\n  - override /model: linear\n  - override /data: line\n"


def answer_to(sources: ConfigSources, *overrides: str) -> str:
    """Returns the explanation of the error that some overrides give."""
    with pytest.raises((HydraException, OmegaConfBaseException, ValueError, AssertionError)) as caught:
        sources.compose(overrides)
    return explain(caught.value, overrides, sources)


@pytest.fixture
def sources(tmp_path) -> ConfigSources:
    """The shipped configs and an empty directory for the user's own."""
    schema.register()
    (tmp_path / "experiment").mkdir()
    return ConfigSources(conf_directory(), tmp_path)


# Overrides beside +experiment=linear, and a part of the answer.
OVERRIDES = [
    (["model=null"], "model cannot be null; choose one with model=NAME: cnn, function, gan"),
    (["optimizer=null"], "choose one with optimizer=NAME: adam,"),
    (["data=null"], "choose one with data=NAME: arrays,"),
    (["callbacks=null"], "callbacks cannot be null; drop a callback by name with '~callbacks.NAME'"),
    (["model=5"], "model (5) must be the name of a choice: cnn, function, gan"),
    (["loop.epochs=null"], "loop.epochs cannot be null; give it a value"),
    (["run.root=null"], "run.root cannot be null"),
    (["~loop.epochs"], "loop.epochs cannot be left out"),
    (["loop.foo=1"], "there is no key loop.foo; loop has: epochs, steps_per_epoch"),
    (["foo=1"], "values of your own go under vars: +vars.foo=VALUE"),
    (["loop={epochs: 1, epoch: 2}"], "there is no key loop.epoch; did you mean loop.epochs?"),
    (["trainable={a: b}"], "trainable ({a: b}) must be a list of names"),
    (["warm_start=null", "+warm_start.path=x"], "set it whole: 'warm_start={path: VALUE}'"),
    (["model=my.Net"], "(a class is set with model._target_=my.Net)"),
    (["model.x=1"], "a new key is added with +model.x=VALUE"),
]


@pytest.mark.parametrize(("overrides", "answer"), OVERRIDES, ids=str)
def test_overrides(sources, overrides, answer) -> None:
    assert answer in answer_to(sources, "+experiment=linear", *overrides)


# Lines of an experiment of the user's own, and a part of the answer.
FILES = [
    ("loop: {epoch: 3}", "there is no key loop.epoch; did you mean loop.epochs?"),
    ("lop: {epochs: 3}", "there is no key lop; did you mean loop?"),
    ("colour: red", "values of your own go under vars: +vars.colour=VALUE"),
    ("loop: null", "loop cannot be null"),
    ("seed: null", "seed cannot be null"),
    ("model: null", "model cannot be null; choose one with model=NAME"),
    ("callbacks: null", "drop a callback by name"),
    ("loop: {epochs: abc}", "loop.epochs ('abc') must be a whole number"),
    ("loop: 3", "loop (3) must be a mapping"),
    ("run: {root: null}", "run.root cannot be null"),
]


@pytest.mark.parametrize(("lines", "answer"), FILES)
def test_files(sources, tmp_path, lines, answer) -> None:
    (tmp_path / "experiment/mine.yaml").write_text(f"{HEAD}{lines}\n")
    said = answer_to(sources, "+experiment=mine")
    assert answer in said
    assert len(said.splitlines()) == 1


def test_a_file_without_its_first_line(sources, tmp_path) -> None:
    (tmp_path / "experiment/mine.yaml").write_text("loop: {epochs: 3}\n")
    (tmp_path / "trial").mkdir()
    (tmp_path / "trial/fast.yaml").write_text("loop: {epochs: 3}\n")
    for override in ("+experiment=mine", "+trial=fast"):
        assert "'# @package _global_'" in answer_to(sources, override)


# A line of the defaults of an experiment of the user's own, and a part of the answer.
DEFAULTS = [
    ("override /modle: cnn", "there is no group modle; did you mean model=NAME?"),
    ("override /model: cnnn", "there is no model 'cnnn'; did you mean cnn?"),
    ("/modle: cnn", "there is no group modle; did you mean model?"),
]


@pytest.mark.parametrize(("line", "answer"), DEFAULTS)
def test_defaults(sources, tmp_path, line, answer) -> None:
    (tmp_path / "experiment/mine.yaml").write_text(f"# @package _global_\ndefaults:\n  - {line}\n")
    assert answer in answer_to(sources, "+experiment=mine")


def test_a_choice_that_is_not_there(sources) -> None:
    assert answer_to(sources, "+experiment=liner").endswith("did you mean linear?")
    shipped = ConfigSources(conf_directory())
    assert answer_to(shipped, "+experiment=mine").endswith("wide_and_deep (one of your own: --config-dir DIR)")


def test_values_of_the_user_are_interpolated(sources, tmp_path) -> None:
    (tmp_path / "experiment/mine.yaml").write_text(f"{HEAD}vars: {{n: 3}}\nloop: {{epochs: '${{vars.n}}'}}\n")
    assert sources.compose(["+experiment=mine"]).loop.epochs == 3
    assert sources.compose(["+experiment=mine", "vars.n=4"]).loop.epochs == 4
    assert sources.compose(["+experiment=linear", "+vars.n=5", "loop.epochs=${vars.n}"]).loop.epochs == 5
