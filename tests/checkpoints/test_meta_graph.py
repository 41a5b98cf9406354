"""The graph of a checkpoint: its own .meta, or the one that a Saver wrote once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.checkpoints.references import save_plain
from trainer.checkpoints.meta_graph import find_meta, require_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.cli.models import main as models_main
from trainer.errors import CheckpointError, RequestError
from trainer.predict.backends.dispatch import open_predictor

v1 = tf.compat.v1

X = np.float32([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("name", "files", "found"),
    [
        ("model-2", ["model-1.meta", "model-2.meta", "model.meta"], "model-2.meta"),
        ("model-2", ["model-1.meta", "model.meta"], "model.meta"),
        ("model-2", ["model-1.meta", "model-3.meta"], "model-1.meta"),
        ("model-2", ["model-3.meta", "model-4.meta"], "model-3.meta"),
        ("model-10", ["model-9.meta", "model-2.meta"], "model-9.meta"),
        ("model-7+43", ["model-7+9.meta", "model-8.meta"], "model-7+9.meta"),
        ("model-2", ["other-2.meta", "other.meta"], None),
        ("model", ["model-1.meta"], None),
        ("model-2-00000-of-00001", ["model-2.meta"], "model-2.meta"),
    ],
)
def test_which_meta_is_the_graph(name, files, found, tmp_path) -> None:
    for file in files:
        (tmp_path / file).touch()
    path = find_meta(StoredCheckpoint(tmp_path, name))
    assert (path and path.name) == found


def test_without_one_the_error_has_what_was_looked_for(tmp_path) -> None:
    (tmp_path / "other.meta").touch()
    with pytest.raises(RequestError, match=r"looked for m-2.meta, m.meta, m-\*.meta; .* there: other.meta; do"):
        require_meta(StoredCheckpoint(tmp_path, "m-2"), "do something")


@pytest.fixture
def once(tmp_path) -> Path:
    """The usual loop: the graph is written at the first save, and later saves are of the variables alone."""
    save_plain(tmp_path / "loop", (1000, 2000, 3000), write_meta_graph=(1000,))
    assert [path.name for path in (tmp_path / "loop").glob("*.meta")] == ["model.ckpt-1000.meta"]
    return tmp_path / "loop"


def test_a_graph_that_was_written_once_freezes_and_exports_each_checkpoint(once, tool) -> None:
    assert tool("freeze", once / "model.ckpt-2000", "--outputs", "op", "-o", once / "m.pb")[0] == 0
    assert tool("export", once / "model.ckpt-2000", "--outputs", "op")[0] == 0
    graph_def = v1.GraphDef.FromString((once / "m.pb").read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        np.testing.assert_array_equal(session.run("op:0", {"x:0": X}), [[2000.0]])
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(once / "export/saved_model/2000"))
        np.testing.assert_array_equal(session.run("op:0", {"x:0": X}), [[2000.0]])
    with open_predictor(once / "model.ckpt-3000", ["op"]) as predictor:
        np.testing.assert_array_equal(predictor(x=X)["op"], [[3000.0]])


def test_show_and_the_models_tool_read_it(once, tool_json, capsys) -> None:
    code, data = tool_json("show", once / "model.ckpt-2000")
    assert (code, data["has_meta"], data["meta"]) == (0, True, str(once / "model.ckpt-1000.meta"))
    assert {each["name"] for each in data["variables"] if each["trainable"]} == {"w", "b"}
    assert models_main(["show", str(once / "model.ckpt-2000"), "--output", "op"]) == 0
    assert "model.ckpt-1000.meta" in capsys.readouterr().out


def test_an_average_takes_it_along(once, tool, tmp_path) -> None:
    checkpoints = [once / "model.ckpt-2000", once / "model.ckpt-3000"]
    assert tool("average", *checkpoints, "--to", tmp_path / "mean/model")[0] == 0
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "mean/model.meta"))
        saver.restore(session, str(tmp_path / "mean/model"))
        np.testing.assert_array_equal(session.run("op:0", {"x:0": X}), [[2500.0]])


def test_verify_tells_of_a_graph_elsewhere_and_calls_no_other_checkpoint_damaged(once, tool, tool_json) -> None:
    code, text = tool("verify", once / "model.ckpt-2000")
    assert (code, "no record to compare with; its graph is in model.ckpt-1000.meta\n" in text) == (0, True)
    (once / "model.ckpt-1000.meta").write_bytes(b"\xff")
    code, data = tool_json("verify", once)
    assert (code, [name for name, problems in data["problems"].items() if problems]) == (1, ["model.ckpt-1000"])
    assert "is in model.ckpt-1000.meta and cannot be used" in data["graphs"]["model.ckpt-2000"]
    assert tool("verify", once / "model.ckpt-2000")[0] == 0
    code, text = tool("show", once / "model.ckpt-2000")
    assert code == 1
    assert "model.ckpt-1000.meta is not a MetaGraphDef" in text
    assert "has no .meta of its own" in text


def test_the_files_and_the_size_of_a_checkpoint_are_its_own(once) -> None:
    checkpoint = resolve_checkpoint(once / "model.ckpt-2000")
    names = ["model.ckpt-2000.data-00000-of-00001", "model.ckpt-2000.index"]
    assert [path.name for path in checkpoint.files] == names
    assert checkpoint.size == sum((once / name).stat().st_size for name in names)
    assert checkpoint.own_meta is None


def test_a_damaged_graph_elsewhere_is_named_when_it_is_needed(once) -> None:
    (once / "model.ckpt-1000.meta").write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=r"model.ckpt-1000.meta is not a MetaGraphDef"):
        open_predictor(once / "model.ckpt-2000", ["op"])
