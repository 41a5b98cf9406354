"""Rules for every callback, every config file and every experiment."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

import callbacks
from callbacks.checkpoint import Checkpoint
from tests.helpers import run
from tests.processes import ROOT, python
from trainer.callback import Callback
from trainer.cli.train import conf_directory
from trainer.config import schema
from trainer.config.targets import find_object
from trainer.config.validate import validate

CONF = conf_directory()
FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml"))
EXPERIMENTS = [path.stem for path in FILES if path.parent.name == "experiment"]
CALLBACKS: list[type[Callback]] = [
    each
    for info in pkgutil.iter_modules(callbacks.__path__)
    for each in vars(importlib.import_module(f"callbacks.{info.name}")).values()
    if inspect.isclass(each) and issubclass(each, Callback) and each.__module__ == f"callbacks.{info.name}"
]
EVENTS = {name: method for name, method in vars(Callback).items() if inspect.isfunction(method)}

schema.register()


def nodes(value: Any) -> list[dict[str, Any]]:
    """Returns every mapping with a ``_target_`` inside a loaded YAML file."""
    if isinstance(value, dict):
        return ([value] if "_target_" in value else []) + [node for each in value.values() for node in nodes(each)]
    return [node for each in value for node in nodes(each)] if isinstance(value, list) else []


def test_there_is_something_to_test() -> None:
    assert len(CALLBACKS) >= 7
    assert len(EXPERIMENTS) >= 4
    assert len(FILES) > 20


@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda each: each.__name__)
def test_a_callback_keeps_the_contract(callback, tmp_path) -> None:
    for name, method in vars(callback).items():
        if name.startswith("on_") or name in EVENTS:
            assert name in EVENTS, f"{name} is no event"
            assert list(inspect.signature(method).parameters) == list(inspect.signature(EVENTS[name]).parameters)
    assert ">>> " in (callback.__doc__ or "")
    parameters = list(inspect.signature(callback).parameters.values())
    assert all(each.kind is each.KEYWORD_ONLY and each.default is not each.empty for each in parameters)
    state = callback().state_dict()
    assert json.loads(json.dumps(state)) == state
    callback().close()


@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda each: each.__name__)
def test_a_callback_has_a_config_file_with_all_its_keys(callback) -> None:
    target = f"{callback.__module__}.{callback.__qualname__}"
    (node,) = [
        node
        for path in FILES
        for node in nodes(OmegaConf.to_container(OmegaConf.load(CONF / path)))
        if node["_target_"] == target
    ]
    keys = set(inspect.signature(callback).parameters) - {"clock"}
    assert set(node) - {"_target_"} == keys
    assert isinstance(instantiate(OmegaConf.create(node)), callback)


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "callbacks"], ids=str)
def test_a_callback_file_is_a_node_under_its_own_key(path) -> None:
    text = OmegaConf.to_container(OmegaConf.load(CONF / path))
    if path.stem == "default":
        assert set(text) == {"defaults"}
    else:
        assert list(text) == [path.stem]
        assert "_target_" in text[path.stem]


@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda each: each.__name__)
def test_a_callback_survives_a_run_and_its_resume(callback, tmp_path) -> None:

    def chosen() -> dict[str, Callback]:
        extra = {"monitor": "loss"} if "monitor" in inspect.signature(callback).parameters else {}
        return {"each": callback(**extra)} if callback is Checkpoint else {"each": callback(**extra), "c": Checkpoint()}

    assert run(tmp_path / "run", chosen(), epochs=1).epoch == 1
    assert run(tmp_path / "run", chosen(), epochs=2).epoch == 2


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_config_file_is_explained_and_names_what_exists(path) -> None:
    text = (CONF / path).read_text()
    for node in nodes(OmegaConf.to_container(OmegaConf.load(CONF / path))):
        if node["_target_"] == "???":
            continue  # the user's own
        found = find_object(node["_target_"])
        assert found is not None, node["_target_"]
        if node["_target_"].startswith(("trainer.", "callbacks.")):
            known = set(inspect.signature(found).parameters) | {"_target_", "_partial_"}
            assert set(node) <= known
    if path.parent.name == "experiment":
        lines = text.splitlines()
        assert lines[0] == "# @package _global_"
        assert lines[1] == f"# python -m trainer +experiment={path.stem}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name in ("model", "data", "optimizer")], ids=str
)
def test_a_choice_of_a_group_composes(path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["+experiment=linear", f"{path.parent.name}={path.stem}"])
    assert config[path.parent.name]["_target_"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_is_valid(experiment) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"+experiment={experiment}"])
    settings = validate(config, experiment)
    assert settings.name == experiment
    assert settings.epochs >= 1


@pytest.fixture(scope="session")
def earlier_runs(tmp_path_factory) -> Callable[[str], Path]:
    """Runs an experiment whose runs another one needs, once, and returns the directory of its runs."""

    @functools.cache
    def runs_of(experiment: str) -> Path:
        cwd = tmp_path_factory.mktemp(experiment)
        done = python("-m", "trainer", f"+experiment={experiment}", "loop.epochs=1", cwd=cwd)
        assert done.returncode == 0, done.stderr
        return cwd / "outputs" / experiment

    return runs_of


def builds_on(experiment: str) -> set[str]:
    """Returns the experiments whose run directories the config of another one names."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        text = OmegaConf.to_yaml(compose("train", [f"+experiment={experiment}"]))
    return set(re.findall(r"path: \$\{run\.root\}/(\w+)", text))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_runs_resumes_and_exports(experiment, trainer, earlier_runs, tmp_path) -> None:
    for earlier in builds_on(experiment):
        (tmp_path / "outputs").mkdir()
        (tmp_path / "outputs" / earlier).symlink_to(earlier_runs(earlier))
    common = [f"+experiment={experiment}", "callbacks.checkpoint.every_n_epochs=1"]
    assert trainer(*common, "loop.epochs=1").returncode == 0
    done = trainer(*common, "loop.epochs=2", "resume=latest")
    assert done.returncode == 0, done.stderr
    assert "resumed from model-1" in done.stdout
    (directory,) = (tmp_path / "outputs" / experiment).iterdir()
    for name in ("checkpoints/model-2.index", "export/frozen/model.pb", "export/saved_model/2/saved_model.pb"):
        assert (directory / name).is_file()


def test_every_python_file_is_of_a_size_that_can_be_read() -> None:
    for folder in ("trainer", "callbacks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 300, path


def test_every_package_is_installed() -> None:
    """setuptools installs only the packages that pyproject.toml lists."""
    text = (ROOT / "pyproject.toml").read_text()
    for folder in ("trainer", "callbacks"):
        for path in (ROOT / folder).rglob("__init__.py"):
            assert f'"{".".join(path.parent.relative_to(ROOT).parts)}"' in text
    for path in FILES:
        package = ".".join(["trainer.conf", *Path(path).parent.parts])
        assert text.count(f'"{package}"') >= 2, package
