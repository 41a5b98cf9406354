"""What bare TensorFlow wrote, in the manner of ten years ago, opened as it lies there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.old_graphs import W, X, save_graph, variable, write_old_run
from trainer.errors import RequestError
from trainer.predict.checkpoint import open_checkpoint

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
    with pytest.raises(RequestError, match=r"name them with outputs=\[\.\.\.\]; likely: loss, prediction"):
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
    with pytest.raises(RequestError, match=r"looked for model.ckpt-2.meta and model.ckpt.meta; .* there: other.meta"):
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


def test_variables_that_the_saver_named_otherwise_or_cut_into_parts(tmp_path) -> None:
    w = np.arange(8, dtype=np.float32).reshape(4, 2)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        cut = v1.get_variable(
            "cut", initializer=tf.constant(w), use_resource=False, partitioner=v1.fixed_size_partitioner(2)
        )
        tf.add(tf.matmul(x, tf.convert_to_tensor(cut)), variable("b", np.float32(1.0)), name="op")

    with tf.Graph().as_default(), v1.Session() as session:
        build()
        session.run(v1.global_variables_initializer())
        cut = [each for each in v1.global_variables() if each.op.name.startswith("cut")]
        (b,) = [each for each in v1.global_variables() if each.op.name == "b"]
        named = v1.train.Saver({"weights": cut, "offset": b})
        prefix = named.save(session, str(tmp_path / "model.ckpt"))
    assert set(tf.train.load_checkpoint(prefix).get_variable_to_shape_map()) == {"weights", "offset"}
    with open_checkpoint(prefix, ["op"]) as predictor:
        assert predictor(x=np.eye(4))["op"] == pytest.approx(w + 1)


def test_a_tensor_of_a_pipeline_is_fed_in_its_place(tmp_path) -> None:
    def build() -> None:
        queue = tf.queue.FIFOQueue(10, [tf.float32, tf.int32], [[2], []])
        images, _ = queue.dequeue_many(5, name="batch")
        tf.multiply(images, variable("scale", np.float32(3.0)), name="op")

    prefix = save_graph(tmp_path, build)
    with pytest.raises(RequestError, match=r"need 'batch' \(QueueDequeueManyV2\), which reads data by itself"):
        open_checkpoint(prefix, ["op"])
    with open_checkpoint(prefix, ["op"], inputs={"images": "batch:0"}) as predictor:
        assert predictor.inputs["images"].dtype == "float32"
        assert predictor(images=np.ones((5, 2)))["op"] == pytest.approx(3 * np.ones((5, 2)))


def test_look_up_tables_are_filled(tmp_path) -> None:
    def build() -> None:
        words = v1.placeholder(tf.string, [None], name="words")
        entries = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([10, 20], tf.int64))
        tf.identity(tf.lookup.StaticHashTable(entries, -1).lookup(words), name="ids")
        variable("unused", np.float32(0.0))

    with open_checkpoint(save_graph(tmp_path, build), ["ids"]) as predictor:
        assert predictor(words=["b", "a", "c"])["ids"].tolist() == [20, 10, -1]


def test_a_checkpoint_of_another_graph_is_refused_with_all_differences(tmp_path) -> None:
    def build(size: int) -> None:
        x = v1.placeholder(tf.float32, [None, size], name="x")
        w = v1.get_variable("w", [size, 1], use_resource=True)
        tf.add(tf.matmul(x, w), v1.get_variable("b", [1], use_resource=True), name="op")

    prefix = save_graph(tmp_path / "three", lambda: build(3))
    other = save_graph(tmp_path / "four", lambda: build(4))
    with pytest.raises(RequestError, match=r"(?s)does not fit .*w: graph float32 \[4, 1\], file float32 \[3, 1\]"):
        open_checkpoint(prefix, ["op"], meta=f"{other}.meta")
