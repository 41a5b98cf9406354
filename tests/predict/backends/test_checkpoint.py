"""Checkpoints opened as predictors: those of a run, and what bare TensorFlow wrote ten years ago."""

from __future__ import annotations

import shutil

import pytest
import tensorflow as tf

from tests.old_graphs import W, X, write_old_run
from tests.readers import expected
from trainer.errors import CheckpointError, RequestError
from trainer.predict.backends.checkpoint import open_checkpoint
from trainer.predict.backends.dispatch import open_predictor


def test_an_older_checkpoint_by_its_prefix(small_run) -> None:
    with open_predictor(small_run / "checkpoints/model-1") as predictor:
        assert predictor(x=X)["op"] == pytest.approx(expected(small_run, 1, X), rel=1e-5)


def test_damage_in_the_newest_checkpoint(small_run, tmp_path) -> None:
    shutil.copytree(small_run, tmp_path / "run")
    data = tmp_path / "run/checkpoints/model-3.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    with open_predictor(tmp_path / "run") as predictor:
        assert predictor.source.endswith("model-2")
    with pytest.raises(CheckpointError, match="differs from what was written"):
        open_predictor(tmp_path / "run/checkpoints/model-3")


v1 = tf.compat.v1
EXPECTED = X @ W + 0.5


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A directory that was moved after it was written: its list names files that are nowhere."""
    folder = tmp_path_factory.mktemp("old")
    (folder / "there").mkdir()
    write_old_run(folder / "there")
    (folder / "there").rename(folder / "here")
    return folder / "here"


def test_the_fixture_is_as_old_as_it_should_be(moved) -> None:
    assert str(moved.parent / "there") in (moved / "checkpoint").read_text()
    assert tf.train.latest_checkpoint(str(moved)) is None
    nodes = v1.MetaGraphDef.FromString((moved / "model.ckpt-2.meta").read_bytes()).graph_def.node
    ops = {node.op for node in nodes}
    assert {"VariableV2", "ApplyAdam", "ScalarSummary"} <= ops
    assert "VarHandleOp" not in ops


def test_a_moved_directory_is_opened(moved) -> None:
    with open_checkpoint(moved, ["prediction"]) as predictor:
        assert predictor(x=X)["prediction"] == pytest.approx(EXPECTED)
        assert "model.ckpt-2" in predictor.source
        assert list(predictor.inputs) == ["x", "is_training"]
        assert predictor.inputs["x"].shape is None


def test_a_placeholder_with_a_default_may_be_given(moved) -> None:
    with open_checkpoint(moved / "model.ckpt-1", ["prediction:0"]) as predictor:
        assert predictor(x=X, is_training=True)["prediction"] == pytest.approx(2 * EXPECTED)
        assert predictor(x=X)["prediction"] == pytest.approx(EXPECTED)


def test_an_output_that_needs_labels_takes_them(moved) -> None:
    with open_checkpoint(moved, {"mean": "loss"}) as predictor:
        assert predictor(x=X, y=EXPECTED)["mean"] == pytest.approx(0)


def test_without_outputs_the_likely_ones_are_listed(moved) -> None:
    with pytest.raises(RequestError, match=r"name them with outputs=\[\.\.\.\]; likely: prediction"):
        open_checkpoint(moved)
    with pytest.raises(RequestError, match=r"has no node 'predicton'; did you mean prediction"):
        open_checkpoint(moved, ["predicton"])


def test_a_value_that_the_graph_refuses_is_an_error_of_one_line(moved) -> None:
    with open_checkpoint(moved, ["prediction"]) as predictor, pytest.raises(RequestError) as raised:
        predictor(x=X.T)
    assert "cannot be run on x float32 [2, 3]" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_copy_is_read_and_not_its_original(tmp_path) -> None:
    write_old_run(tmp_path / "original")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    shutil.rmtree(tmp_path / "original")
    write_old_run(tmp_path / "original", scale=3.0)
    with open_checkpoint(tmp_path / "copy", ["prediction"]) as predictor:
        assert predictor(x=X)["prediction"] == pytest.approx(EXPECTED)


def test_without_its_list_the_highest_number_is_taken(moved, tmp_path) -> None:
    shutil.copytree(moved, tmp_path / "run")
    (tmp_path / "run" / "checkpoint").write_text("garbled {{{")
    with open_checkpoint(tmp_path / "run", ["prediction"]) as predictor:
        assert predictor.source.endswith("model.ckpt-2")


def test_a_graph_of_the_same_series_is_taken(moved, tmp_path) -> None:
    shutil.copytree(moved, tmp_path / "run")
    (tmp_path / "run/model.ckpt-2.meta").unlink()
    with open_checkpoint(tmp_path / "run", ["prediction"]) as predictor:
        assert predictor.source.endswith("model.ckpt-2")
        assert predictor(x=X)["prediction"] == pytest.approx(EXPECTED)
    (tmp_path / "run/model.ckpt-1.meta").rename(tmp_path / "run/other.meta")
    with pytest.raises(RequestError, match=r"looked for model.ckpt-2.meta, model.ckpt.meta, .* there: other.meta"):
        open_checkpoint(tmp_path / "run", ["prediction"])
    with open_checkpoint(tmp_path / "run", ["prediction"], meta=tmp_path / "run/other.meta") as predictor:
        assert predictor(x=X)["prediction"] == pytest.approx(EXPECTED)


def test_a_list_whose_files_are_gone(moved, tmp_path) -> None:
    shutil.copy(moved / "checkpoint", tmp_path)
    with pytest.raises(RequestError, match=r"checkpoint names model.ckpt-2, model.ckpt-1, whose files are not here"):
        open_checkpoint(tmp_path, ["prediction"])


@pytest.mark.parametrize(
    "options", [{"sharded": True}, {"write_version": v1.train.SaverDef.V1}], ids=["sharded", "format before 2017"]
)
def test_other_forms_of_files(tmp_path, options) -> None:
    (tmp_path / "run").mkdir()
    write_old_run(tmp_path / "run", **options)
    with open_checkpoint(tmp_path / "run", ["prediction"]) as predictor:
        assert predictor(x=X)["prediction"] == pytest.approx(EXPECTED)
