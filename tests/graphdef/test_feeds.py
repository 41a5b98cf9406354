"""Tensors that are fed in the place of what a graph reads by itself: tf.data, queues, and stages of all kinds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.old_graphs import save_graph, variable
from trainer.cli.checkpoints import main as checkpoints_main
from trainer.cli.models import main as models_main
from trainer.errors import RequestError
from trainer.export.subgraph import extract_inference
from trainer.graphdef.feeds import named_feeds, tensors_read, with_placeholders
from trainer.graphdef.protos import GraphDef, NodeDef
from trainer.graphdef.subgraph import extract_subgraph

v1 = tf.compat.v1

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)
LABELS = np.arange(6) % 2


@pytest.fixture
def tool(capfd):
    """``scripts/checkpoints`` in this process: returns exit code, and output and errors."""
    return lambda *words: _called(checkpoints_main, words, capfd)


@pytest.fixture
def models(capfd):
    """``scripts/models`` in this process: returns exit code, and output and errors."""
    return lambda *words: _called(models_main, words, capfd)


def _called(main, words, capture):
    capture.readouterr()
    code = main([str(word) for word in words])
    return code, "".join(capture.readouterr())


def data_set():
    return tf.data.Dataset.from_tensor_slices((ROWS, LABELS)).batch(3).repeat()


def one_shot():
    return v1.data.make_one_shot_iterator(data_set()).get_next()


def initializable():
    return v1.data.make_initializable_iterator(data_set()).get_next()


def of_any_set():
    kinds = v1.data.get_output_types(data_set()), v1.data.get_output_shapes(data_set())
    iterator = v1.data.Iterator.from_structure(*kinds)
    iterator.make_initializer(data_set())
    return iterator.get_next()


def by_handle():
    handle = v1.placeholder(tf.string, [], name="handle")
    kinds = v1.data.get_output_types(data_set()), v1.data.get_output_shapes(data_set())
    return v1.data.Iterator.from_string_handle(handle, *kinds).get_next()


def optional():
    return v1.data.make_one_shot_iterator(data_set()).get_next_as_optional().get_value()


def batches():
    row, label = v1.train.slice_input_producer([ROWS, LABELS], shuffle=False)
    return v1.train.batch([row, label], 3)


def shuffled_batches():
    row, label = v1.train.slice_input_producer([ROWS, LABELS])
    return v1.train.shuffle_batch([row, label], 3, capacity=20, min_after_dequeue=2)


def records():
    names = v1.train.string_input_producer(["nowhere.tfrecords"])
    _, record = v1.TFRecordReader().read(names)
    kinds = {"row": tf.io.FixedLenFeature([4], tf.float32), "label": tf.io.FixedLenFeature([], tf.int64)}
    parsed = tf.io.parse_single_example(record, kinds)
    return v1.train.batch([parsed["row"], parsed["label"]], 3)


def padded():
    queue = tf.queue.PaddingFIFOQueue(10, [tf.float32, tf.int64], [[None], []])
    row, label = queue.dequeue_many(3)
    return tf.ensure_shape(row, [3, 4]), label


def staged():
    area = tf.raw_ops.Unstage(dtypes=[tf.float32, tf.int64], container="", shared_name="")
    return tf.ensure_shape(area[0], [None, 4]), area[1]


@pytest.mark.parametrize(
    "read",
    [one_shot, initializable, of_any_set, by_handle, optional, batches, shuffled_batches, records, padded, staged],
)
def test_a_checkpoint_that_reads_data_is_fed_frozen_and_exported(tmp_path, tool, models, read) -> None:
    def build() -> None:
        rows, labels = read()
        probabilities = tf.nn.softmax(rows @ variable("kernel", ROWS[:4, :2]), name="probabilities")
        tf.reduce_sum(tf.gather(probabilities, labels, batch_dims=1), name="score")

    prefix = save_graph(tmp_path, build)
    meta = v1.MetaGraphDef.FromString(prefix.with_name(f"{prefix.name}.meta").read_bytes())
    tensors = tensors_read(meta.graph_def, ["score"])
    assert len(tensors) == 2
    for command in (
        models("run", prefix, "--output", "probabilities"),
        tool("freeze", prefix, "--outputs", "probabilities", "-o", tmp_path / "no.pb"),
    ):
        assert command[0] == 2
        assert f"which reads data by itself; feed what it gives: inputs=['{tensors[0]}'] [--feed" in command[1]
    feeds = ["--feed", f"rows={tensors[0]}"]
    code, text = models(
        "run", prefix, "--output", "probabilities", *feeds, "--input", f"rows={ROWS[:3].tolist()}", "--json"
    )
    assert code == 0, text
    expected = tf.nn.softmax(ROWS[:3] @ ROWS[:4, :2]).numpy()
    np.testing.assert_allclose(json.loads(text)["probabilities"], expected, rtol=1e-5)
    np.savez(tmp_path / "rows.npz", rows=ROWS[:3])
    some = [*feeds, "--input", f"@{tmp_path}/rows.npz"]
    code, text = tool("freeze", prefix, "--outputs", "probabilities", *some, "-o", tmp_path / "m.pb")
    assert code == 0, text
    code, text = tool("export", prefix, "--outputs", "probabilities", *some, "-o", tmp_path / "saved")
    assert code == 0, text
    for file in ("m.pb", "saved"):
        code, text = models("compare", prefix, tmp_path / file, "--output", "probabilities", *some)
        assert code == 0, text
    frozen = GraphDef.FromString((tmp_path / "m.pb").read_bytes())
    assert [node.name for node in frozen.node if node.op == "Placeholder"] == ["rows"]
    both = [*feeds, "--feed", f"labels={tensors[1]}"]
    batch = {"rows": ROWS[:3], "labels": LABELS[:3]}
    np.savez(tmp_path / "batch.npz", **batch)
    code, text = tool(
        "freeze", prefix, "--outputs", "score", *both, "-o", tmp_path / "s.pb", "--input", f"@{tmp_path}/batch.npz"
    )
    assert code == 0, text


def test_an_input_without_a_name_is_called_by_its_tensor(tmp_path, tool) -> None:
    prefix = save_graph(tmp_path, lambda: tf.multiply(initializable()[1], variable("w", np.int64(2)), name="op"))
    code, text = tool("freeze", prefix, "--outputs", "op", "--feed", "IteratorGetNext:1", "-o", tmp_path / "m.pb")
    assert code == 0, text
    assert list(json.loads((tmp_path / "m.json").read_text())["inputs"]) == ["IteratorGetNext_1"]


def test_any_tensor_may_be_fed(tmp_path, tool, models) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4])
        hidden = tf.multiply(x, variable("scale", np.float32(3)), name="hidden")
        tf.add(hidden, 1, name="op")

    prefix = save_graph(tmp_path, build)
    code, text = models("run", prefix, "--output", "op", "--feed", "hidden", "--input", "hidden=1,2,3,4", "--json")
    assert (code, json.loads(text)) == (0, {"op": [[2.0, 3.0, 4.0, 5.0]]})
    code, text = tool("freeze", prefix, "--outputs", "op", "--feed", "image=Placeholder:0", "-o", tmp_path / "m.pb")
    assert code == 0, text
    assert list(json.loads((tmp_path / "m.json").read_text())["inputs"]) == ["image"]


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ("IteratorGetNex", "has no node 'IteratorGetNex'; did you mean IteratorGetNext"),
        ("IteratorGetNext:7", "'IteratorGetNext:7' is no tensor: the node has 2 outputs"),
        ("IteratorV2", "'IteratorV2:0' cannot be fed: it is a resource"),
        ("IteratorGetNext:1", "feed what it gives: inputs=['IteratorGetNext:0']"),
        ("no name=IteratorGetNext:0", "is not a valid name of a tensor"),
        ("kernel/Read=IteratorGetNext:0", "has the name of a node that the outputs need too"),
    ],
)
def test_a_wrong_feed_is_refused(tmp_path, tool, feed, message) -> None:
    def build() -> None:
        tf.matmul(initializable()[0], tf.identity(variable("w", ROWS[:4]), "kernel/Read"), name="op")

    prefix = save_graph(tmp_path, build)
    code, text = tool("freeze", prefix, "--outputs", "op", "--feed", feed, "-o", tmp_path / "m.pb")
    assert (code, message in text) == (2, True), text
    assert not list(tmp_path.glob("m.*b"))


def test_names_of_inputs() -> None:
    types = {"a": "IteratorGetNext", "b": "Add"}
    assert named_feeds(["a:1", "b:0", "a"], types, list, "m") == {"a_1": "a:1", "b": "b:0", "a": "a:0"}
    assert named_feeds({"x:y": "a:1"}, types, list, "m") == {"x:y": "a:1"}
    with pytest.raises(RequestError, match="no node 'c'"):
        named_feeds(["c"], types, list, "m")


def test_a_placeholder_takes_the_place_of_what_it_feeds() -> None:
    nodes = [NodeDef(name="next", op="IteratorGetNext"), NodeDef(name="y", op="Add", input=["next", "next:1"])]
    part = extract_subgraph(GraphDef(node=nodes), {"y": "y:0"}, {"next:0", "next:1"})
    fed = {"next:0": NodeDef(name="next", op="Placeholder"), "next:1": NodeDef(name="other", op="Placeholder")}
    made = with_placeholders(part, fed)
    assert [list(node.input) for node in made.graph_def.node if node.name == "y"] == [["next", "other"]]
    assert sorted(made.placeholders) == ["next", "other"]


def test_a_label_under_another_name_than_its_placeholder_is_no_feed() -> None:
    """A run has its labels' placeholders in a scope, and an output may bear the name of a label."""
    with tf.Graph().as_default() as graph:
        rows = v1.placeholder(tf.float32, [None], name="x")
        label = v1.placeholder(tf.float32, [None], name="labels/grade")
        tf.negative(rows, name="grade")
        part = extract_inference(graph, {"x": rows, "grade": label}, ["grade"])
    assert list(part.inputs) == ["x"]
    assert [node.name for node in part.graph_def.node] == ["x", "grade"]
