"""Which nodes may be meant as outputs, and how a wrong name is answered."""

from __future__ import annotations

import pytest
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graphdef.node_names import is_named_by_hand
from trainer.graphdef.output_names import (
    check_output_nodes,
    final_outputs,
    likely_outputs,
    named_tensors,
    op_types_of,
)

v1 = tf.compat.v1


@pytest.mark.parametrize(
    ("name", "op_type", "by_hand"),
    [
        ("op", "Identity", True),
        ("net/features", "Identity", True),
        ("l", "LogSoftmax", True),
        ("prediction_1", "Sigmoid", True),
        ("Sigmoid", "Sigmoid", False),
        ("Sigmoid_12", "Sigmoid", False),
        ("dense/BiasAdd", "BiasAdd", False),
        ("add_1", "AddV2", False),
        ("GatherV2", "GatherV2", False),
        ("strided_slice_2_1", "StridedSlice", False),
        ("stack", "Pack", False),
        ("truediv", "RealDiv", False),
    ],
)
def test_what_the_author_named(name, op_type, by_hand) -> None:
    assert is_named_by_hand(name, op_type) is by_hand


def trained_graph() -> tf.Graph:
    """A whole graph of training: scopes, a loss, an optimizer, summaries, a pipeline beside it, a Saver."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        y = v1.placeholder(tf.float32, [None, 1], "y")
        with v1.name_scope("net"):
            features = tf.identity(x @ v1.get_variable("w", [2, 3]), "features")
        logits = features @ v1.get_variable("v", [3, 1])
        tf.sigmoid(logits, "probability")
        tf.argmax(logits, 1)
        loss = tf.reduce_mean(tf.square(logits - y), name="loss")
        v1.summary.scalar("loss_summary", loss)
        tf.identity(v1.data.make_one_shot_iterator(tf.data.Dataset.range(3)).get_next(), "from_pipeline")
        v1.train.AdamOptimizer().minimize(loss, name="train_op")
        v1.train.Saver()
    return graph


def test_likely_outputs_of_a_graph_of_training() -> None:
    graph_def = trained_graph().as_graph_def()
    assert likely_outputs(graph_def) == ["probability", "matmul", "net/features", "ArgMax"]
    assert likely_outputs(graph_def, limit=1) == ["probability"]
    nodes = list(graph_def.node)
    del graph_def.node[:]
    graph_def.node.extend(reversed(nodes))
    assert set(likely_outputs(graph_def)) == {"probability", "matmul", "ArgMax", "net/features"}


def test_a_graph_without_inputs_has_no_likely_output() -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(1.0, "op")
    assert likely_outputs(graph.as_graph_def()) == []
    assert final_outputs(graph.as_graph_def()) == ["op"]


TYPES = {"x": "PlaceholderV2", "w": "VarHandleOp", "old": "VariableV2", "op": "Identity", "loss": "Mean", "c": "Const"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "outputs is empty; name the nodes to compute; likely ones: op"),
        (["opp"], r"outputs: the graph has no node 'opp'; did you mean op\?"),
        (["los"], r"did you mean loss\?"),
        (["zzzz"], "no node 'zzzz'; likely ones: op"),
        (["op", "x:0"], "outputs: 'x' is an input"),
        (["w"], "outputs: 'w' is a variable; name what is computed from it, or w/Read/ReadVariableOp"),
        (["old"], "outputs: 'old' is a variable; name what is computed from it, or old/read"),
        (["op:1"], "outputs: 'op:1' names output 1 of a node"),
    ],
)
def test_names_that_are_refused(names, message) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        check_output_nodes(names, TYPES, lambda: ["op"])
    assert refused.value.argument == "outputs"


def test_names_that_are_taken() -> None:
    assert check_output_nodes(["op:0", "loss", "c"], TYPES, list) == ("op", "loss", "c")
    assert named_tensors("inputs", ["op:0", "loss"], TYPES, list, "m.pb") == {"op": "op:0", "loss": "loss:0"}
    assert named_tensors("outputs", {"mine": "op:1"}, TYPES, list, "m.pb") == {"mine": "op:1"}
    with pytest.raises(RequestError, match=r"inputs: m\.pb has no node 'opp'; did you mean op\?") as refused:
        named_tensors("inputs", ["opp"], TYPES, list, "m.pb")
    assert refused.value.argument == "inputs"
    with pytest.raises(TypeError, match=r"such as \[op\]"):
        named_tensors("outputs", "op", TYPES, list, "m.pb")
    assert op_types_of(trained_graph().as_graph_def())["loss"] == "Mean"
