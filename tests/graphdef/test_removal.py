"""Removal of nodes with all that only they need."""

from __future__ import annotations

import pytest
import tensorflow as tf

from trainer.graphdef.removal import needed_only_by, remove

v1 = tf.compat.v1

GRAPH = {"big": [], "w": [], "cast": ["big"], "set": ["w", "cast:0"], "after": ["^set"], "y": ["w"], "z": ["y", "w"]}


@pytest.mark.parametrize(
    ("ends", "gone"),
    [
        (["set", "after"], {"set", "after", "cast", "big"}),
        (["set"], set()),
        (["z"], {"z", "y"}),
        (["z", "set", "after"], set(GRAPH)),
        (["nothing"], set()),
    ],
)
def test_what_nothing_else_needs(ends, gone) -> None:
    assert needed_only_by(GRAPH, ends) == gone


def test_functions_go_with_their_last_call() -> None:
    with tf.Graph().as_default() as graph:
        inner = tf.function(lambda x: x + 1.0, autograph=False)
        kept = tf.function(lambda x: inner(x) * 2.0, autograph=False)
        gone = tf.function(lambda x: inner(x) * 3.0, autograph=False)
        x = tf.constant(1.0, name="x")
        tf.identity(kept(x), name="kept")
        last = gone(x)
        tf.negative(last, name="depends")
    graph_def = graph.as_graph_def()
    before = len(graph_def.library.function)
    remove(graph_def, [last.op.name])
    assert len(graph_def.library.function) == before - 1
    assert "depends" not in [node.name for node in graph_def.node]
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        assert session.run("kept:0") == 4.0


def test_what_is_kept_stays() -> None:
    with tf.Graph().as_default() as graph:
        tf.negative(tf.constant(1.0, name="a"), name="b")
    graph_def = graph.as_graph_def()
    remove(graph_def, ["b"], kept=["b:0"])
    assert [node.name for node in graph_def.node] == ["a", "b"]
    remove(graph_def, ["b"], kept=["a:0"])
    assert [node.name for node in graph_def.node] == ["a"]
