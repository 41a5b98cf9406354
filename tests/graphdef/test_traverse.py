"""What is upstream and downstream of a node, and the functions that it calls."""

from __future__ import annotations

import pytest
import tensorflow as tf

from trainer.graphdef.traverse import downstream, ends, model_placeholders, needed_functions, upstream

v1 = tf.compat.v1

LOOP = {"x": [], "enter": ["x"], "merge": ["enter", "next"], "next": ["merge"], "exit": ["merge:1"], "apart": ["^x"]}
"""A ``while`` of old graphs reads in a circle, and a node may stand before what it reads."""


@pytest.mark.parametrize(
    ("wanted", "fed", "found"),
    [
        (["exit"], [], ["exit", "merge", "enter", "next", "x"]),
        (["exit"], ["merge:0"], ["exit", "merge", "enter", "next", "x"]),
        (["exit"], ["merge:1"], ["exit"]),
        (["apart:0"], [], ["apart", "x"]),
        (["x:0"], ["x:0"], []),
        (["nowhere"], [], []),
    ],
)
def test_upstream(wanted, fed, found) -> None:
    assert upstream(LOOP, wanted, fed) == found


@pytest.mark.parametrize(
    ("starts", "found"),
    [
        (["x"], set(LOOP)),
        (["next"], {"next", "merge", "exit"}),
        (["exit"], {"exit"}),
        (["nowhere"], set()),
    ],
)
def test_downstream(starts, found) -> None:
    assert downstream(LOOP, starts) == found
    assert downstream(dict(reversed(LOOP.items())), starts) == found


def test_ends() -> None:
    assert ends(LOOP) == ["exit", "apart"]


def test_the_placeholder_of_a_saver_is_none_of_the_model() -> None:
    with tf.Graph().as_default() as graph:
        v1.placeholder(tf.float32, [], "x")
        v1.placeholder(tf.string, [], "saved/words")
        v1.get_variable("w", [])
        v1.train.Saver()
        v1.train.Saver()
        assert sum(operation.type == "PlaceholderWithDefault" for operation in graph.get_operations()) > 2
        assert [node.name for node in model_placeholders(graph.as_graph_def().node)] == ["x", "saved/words"]


def test_functions_that_functions_call() -> None:
    with tf.Graph().as_default() as graph:

        @tf.function(autograph=False)
        def inner(x: tf.Tensor) -> tf.Tensor:
            return x + 1

        outer = tf.function(lambda x: 2 * inner(x), autograph=False)
        unused = tf.function(lambda x: 3 * x, autograph=False)
        x = v1.placeholder(tf.float32, [], "x")
        used, _ = tf.identity(outer(x), "op"), unused(x)
        graph_def = graph.as_graph_def()
    nodes = {node.name: node for node in graph_def.node}
    wanted = [nodes[name] for name in upstream({n: list(node.input) for n, node in nodes.items()}, [used.op.name])]
    found = {function.signature.name for function in needed_functions(graph_def.library, wanted)}
    assert len(found) == 2
    assert len(graph_def.library.function) == 3
    assert any("inner" in name for name in found)
