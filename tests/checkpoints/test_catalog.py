"""Checkpoints of a directory, found by a reference to one of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trainer.checkpoints.catalog import read_catalog
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import RequestError


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("", "model-4"),
        ("/checkpoints", "model-4"),
        ("@last", "model-4"),
        ("@best", "model-1"),
        ("@2", "model-2"),
        ("@model-3", "model-3"),
        ("/checkpoints@3", "model-3"),
        ("/checkpoints/model-3", "model-3"),
        ("/checkpoints/model-3.index", "model-3"),
        ("/checkpoints/model-3.data-00000-of-00001", "model-3"),
    ],
)
def test_a_reference_to_a_checkpoint(trained, reference, name) -> None:
    assert resolve_checkpoint(f"{trained}{reference}").prefix == trained / "checkpoints" / name


def test_the_best_by_another_metric(trained) -> None:
    assert resolve_checkpoint(f"{trained}@best", monitor="loss", mode="min").name == "model-4"


def test_a_relative_reference_finds_the_run(trained, monkeypatch) -> None:
    monkeypatch.chdir(trained / "checkpoints")
    catalog = read_catalog(Path())
    assert catalog.run is not None
    assert catalog.run.info().name == "test"


def test_the_last_of_a_plain_saver_is_what_its_own_list_says(plain, tmp_path) -> None:
    directory = shutil.copytree(plain, tmp_path / "plain")
    assert resolve_checkpoint(directory).name == "old.ckpt-2"
    # Training began again at step 0 and has saved once.
    (directory / "checkpoint").write_text(f'model_checkpoint_path: "{plain}/old.ckpt-1"\n')
    assert resolve_checkpoint(directory).name == "old.ckpt-1"


def test_several_names_in_one_directory(copy) -> None:
    for path in list((copy / "checkpoints").glob("model-2.[id]*")):
        shutil.copy(path, path.with_name(path.name.replace("model", "other")))
    assert read_catalog(copy).prefixes == ["model", "other"]
    with pytest.raises(RequestError, match="may be model-2 or other-2"):
        resolve_checkpoint(f"{copy}@2")
