"""Paths that a user gives, everywhere: another machine's are refused by name, ``file`` URIs are local paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trainer
from trainer.data.files import npz
from trainer.errors import RequestError
from trainer.files import local_path
from trainer.trunks.trunk import Trunk

REMOTE = ["gs://bucket/x", "s3://b/x", "hdfs://a:9000/b", "https://x.org/y", "ram://x", "gs:/bucket/x", "GS://b/x"]

# What is typed, and the path that it is.
LOCAL = [
    ("/a/b", "/a/b"),
    ("a/b", "a/b"),
    ("a:b/c", "a:b/c"),
    ("a/b://c", "a/b:/c"),
    ("run:1", "run:1"),
    ("C:\\x", "C:\\x"),
    ("C:/x", "C:/x"),
    ("file:///a/b", "/a/b"),
    ("file://localhost/a/b", "/a/b"),
    ("file:/a/b", "/a/b"),
    ("FILE:///a%20b/c%25", "/a b/c%"),
    ("a%20b", "a%20b"),
    ("file:///a/run@best", "/a/run@best"),
    (Path("file:///a"), "/a"),
    ("~/runs", str(Path.home() / "runs")),
    ("~runs", "~runs"),
]


@pytest.mark.parametrize(("typed", "path"), LOCAL, ids=str)
def test_local_paths(typed, path) -> None:
    assert str(local_path(typed)) == path


@pytest.mark.parametrize("typed", [*REMOTE, "file://other/x", "file://x"])
def test_paths_of_other_machines_are_refused_by_name(typed) -> None:
    with pytest.raises(RequestError, match=rf"^run.dir \({typed}\) "):
        local_path(typed, "run.dir")


CALLS = [
    trainer.open_predictor,
    trainer.checkpoints.find,
    trainer.checkpoints.list_checkpoints,
    trainer.checkpoints.verify,
    lambda path: npz(path, ["x"], ["y"]),
    lambda path: Trunk(path=path, outputs=["op"]),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("typed", ["gs://bucket/x", Path("gs://bucket/x")], ids=repr)
def test_python_refuses_them_too(call, typed) -> None:
    if not (isinstance(typed, Path) and call is CALLS[-1]):
        with pytest.raises(RequestError, match="is not on this machine"):
            call(typed)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^run\.dir is empty; give a path$"):
        local_path("", "run.dir")


def test_a_file_uri_is_read(tmp_path) -> None:
    np.savez(tmp_path / "a b.npz", x=np.zeros((4, 1)), y=np.zeros((4, 1)))
    assert len(npz((tmp_path / "a b.npz").as_uri(), ["x"], ["y"])) == 4


# Arguments of the tools that have a path, in place of URI.
TOOLS = [
    ("list", "URI"),
    ("show", "URI"),
    ("diff", "URI", "URI"),
    ("verify", "URI@last"),
    ("prune", "URI", "--keep", "1", "--dry-run"),
    ("pin", "URI", "300"),
    ("unpin", "URI", "300"),
    ("average", "URI", "URI", "--to", "URI"),
    ("freeze", "URI", "--to", "URI"),
    ("freeze", ".", "--to", "URI"),
    ("export", "URI", "--to", "URI"),
]


@pytest.mark.parametrize("words", TOOLS, ids=lambda words: " ".join(words))
def test_a_tool_refuses_a_path_of_another_machine(tool, tmp_path, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = tool(*(word.replace("URI", "gs://bucket/x") for word in words))
    assert (code, "gs://bucket/x" in text, "is not on this machine" in text) == (2, True, True), text
    assert list(tmp_path.iterdir()) == []


MODELS = [
    ("show", "URI"),
    ("graph", "x.pb", "-o", "URI"),
    ("run", "URI"),
    ("run", "x.pb", "--save", "URI"),
    ("compare", "x.pb", "URI"),
    ("convert", "x.pb", "--to", "tflite", "-o", "URI"),
    ("convert", "x.pb", "--to", "tflite", "--batch", "URI"),
]


@pytest.mark.parametrize("words", MODELS, ids=lambda words: " ".join(words))
def test_a_tool_for_models_refuses_it_too(models, tmp_path, words) -> None:
    code, _, errors = models(*(word.replace("URI", "s3://bucket/x") for word in words))
    assert (code, "is not on this machine" in errors) == (2, True), errors
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_found_by_its_file_uri(tool, linear_run) -> None:
    run, _ = linear_run
    code, text = tool("list", run.as_uri())
    assert (code, "model-300" in text) == (0, True), text
    code, text = tool("show", f"{run.as_uri()}@best")
    assert (code, "slope" in text) == (0, True), text
