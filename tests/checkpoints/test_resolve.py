"""References to checkpoints: each form at each place that takes one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints.references import make_tree
from tests.damage import flip
from tests.helpers import job
from trainer import checkpoints
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.cli.checkpoints import main as checkpoints_main
from trainer.cli.models import main as models_main
from trainer.errors import CheckpointError, RequestError
from trainer.predict.backends.dispatch import open_predictor
from trainer.training.resume import Request, decide
from trainer.training.train import train_job
from trainer.warm_start import WarmStart

RUN = "outputs/linear/run"
OF_RUN = f"{RUN}/checkpoints/model"

FORMS = {
    f"{OF_RUN}-2": f"{OF_RUN}-2",
    f"{OF_RUN}-2.index": f"{OF_RUN}-2",
    f"{OF_RUN}-2.meta": f"{OF_RUN}-2",
    f"{OF_RUN}-2.json": f"{OF_RUN}-2",
    f"{OF_RUN}-2.data-00000-of-00001": f"{OF_RUN}-2",
    f"{RUN}/checkpoints": f"{OF_RUN}-4",
    f"{RUN}/checkpoints@2": f"{OF_RUN}-2",
    RUN: f"{OF_RUN}-4",
    f"{RUN}@2": f"{OF_RUN}-2",
    f"{RUN}@model-3": f"{OF_RUN}-3",
    f"{RUN}@last": f"{OF_RUN}-4",
    f"{RUN}@best": f"{OF_RUN}-1",
    "outputs/linear": f"{OF_RUN}-4",
    "outputs/linear@best": f"{OF_RUN}-1",
    "outputs": f"{OF_RUN}-4",
    "outputs@3": f"{OF_RUN}-3",
    "one_file": "one_file/model.ckpt-2",
    "one_file@1": "one_file/model.ckpt-1",
    "one_file/model.ckpt-1": "one_file/model.ckpt-1",
    "one_file/model.ckpt-1.meta": "one_file/model.ckpt-1",
    "no_graph": "no_graph/model.ckpt-2",
    "no_graph/model.ckpt-1": "no_graph/model.ckpt-1",
    "plain": "plain/model.ckpt-2",
    "plain@last": "plain/model.ckpt-2",
    "plain/model.ckpt-2.index": "plain/model.ckpt-2",
}

MISSING = {
    f"{OF_RUN}-22": "there is no file, directory or checkpoint .*model-22; did you mean model-2",
    f"{RUN}@22": r"has no checkpoint '22'; there are: best, last, model-1",
    f"{RUN}@beest": r"has no checkpoint 'beest'; did you mean best",
    "outputs/lineer/run/checkpoints/model-2": "there is no directory .*lineer; did you mean linear",
    "outputs/linear/ran": "there is no file, directory or checkpoint .*ran; did you mean run",
    "outputs/linear/ran@best": "there is no directory .*ran; did you mean run",
    "outputs/linear/new": "holds no checkpoint .looked for .*; it is empty",
    "outputs/other": "holds no checkpoint .looked for .*; found new",
    "two": "two holds runs of several names: digits, linear; name one, such as .*two/digits",
    "one_file/model.ckpt": "there is no file, directory or checkpoint .*; did you mean model.ckpt-",
}


@pytest.fixture(scope="module")
def tree(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"), trained)


def by_resume(reference: str, tmp_path: Path) -> Path:
    start = decide(Request(reference, tmp_path, "test", None, ("model",), datetime(2026, 11, 23)))
    if start.external is not None:
        assert start.run.path.parent == tmp_path / "test"
        return start.external
    assert start.record is not None
    return start.store.path(start.record.name)


def by_warm_start(reference: str, tmp_path: Path) -> Path:
    train_job(job(tmp_path / "run", {}, epochs=1, steps_per_epoch=1, warm_start=WarmStart(Path(reference))))
    return Path(json.loads((tmp_path / "run/run.json").read_text())["warm_start"]["checkpoint"])


def by_predictor(reference: str, tmp_path: Path) -> Path:
    with open_predictor(reference, ["op"]) as predictor:
        return Path(predictor.source)


PLACES: dict[str, Callable[[str, Path], Path]] = {
    "find": lambda reference, _: checkpoints.find(reference).prefix,
    "resume": by_resume,
    "warm start": by_warm_start,
    "predictor": by_predictor,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_each_place_finds_the_same_checkpoint(form, place, tree, tmp_path) -> None:
    if place == "predictor" and form.startswith("no_graph"):
        with pytest.raises(RequestError, match=r"has no graph: looked for model.ckpt-"):
            by_predictor(str(tree / form), tmp_path)
    else:
        assert PLACES[place](str(tree / form), tmp_path) == tree / FORMS[form]


@pytest.mark.parametrize("form", FORMS)
def test_the_command_lines_find_it_too(form, tree, tool_json, capsys) -> None:
    code, data = tool_json("show", tree / form)
    assert (code, data["checkpoint"]) == (0, str(tree / FORMS[form]))
    if not form.startswith("no_graph"):
        assert models_main(["run", str(tree / form), "--output", "op", "--input", "x=[[1,2]]", "--json"]) == 0


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", MISSING)
def test_each_place_has_the_same_error(form, place, tree, tmp_path) -> None:
    with pytest.raises(RequestError, match=MISSING[form]) as expected:
        resolve_checkpoint(tree / form)
    with pytest.raises(RequestError) as refused:
        PLACES[place](str(tree / form), tmp_path)
    assert str(expected.value) in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("main", [checkpoints_main, models_main], ids=["checkpoints", "models"])
@pytest.mark.parametrize("form", MISSING)
def test_the_command_lines_have_it_too(form, main, tree, capfd) -> None:
    with pytest.raises(RequestError) as expected:
        resolve_checkpoint(tree / form)
    assert main(["show", str(tree / form)]) == 2
    assert str(expected.value) in capfd.readouterr().err


def test_what_is_damaged_is_refused_when_it_is_named_and_skipped_in_a_directory(copy, caplog) -> None:
    flip(copy / "checkpoints/model-4.data-00000-of-00001")
    assert resolve_checkpoint(copy).name == "model-3"
    assert "skipped: " in caplog.text
    for reference in (f"{copy}@4", copy / "checkpoints/model-4"):
        with pytest.raises(CheckpointError, match="differs from what was written"):
            resolve_checkpoint(reference)
        assert resolve_checkpoint(reference, allow_damaged=True).name == "model-4"


def test_an_at_sign_in_a_path_is_a_part_of_it(copy, tmp_path) -> None:
    directory = shutil.copytree(copy / "checkpoints", tmp_path / "m@1/files@2")
    assert resolve_checkpoint(directory).name == "model-4"
    assert resolve_checkpoint(directory / "model-3").name == "model-3"
    assert resolve_checkpoint(f"{directory}@best", monitor="error", mode="max").name == "model-1"


def test_a_relative_reference_from_inside(copy, monkeypatch) -> None:
    monkeypatch.chdir(copy / "checkpoints")
    (copy / "checkpoints/aside").mkdir()
    assert resolve_checkpoint("model-2").name == "model-2"
    assert resolve_checkpoint("@best").name == "model-1"
    monkeypatch.chdir(copy / "checkpoints/aside")
    assert resolve_checkpoint("..@best").name == "model-1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("notes.txt", "is not a checkpoint: there is no notes.txt.index beside it, and it is not in the one-file"),
        ("model.meta", "belongs to no checkpoint: there is no model.index beside it"),
    ],
)
def test_a_file_that_is_no_checkpoint(name, message, copy) -> None:
    path: Any = copy / "checkpoints" / name
    path.touch()
    with pytest.raises(RequestError, match=message):
        resolve_checkpoint(path)
