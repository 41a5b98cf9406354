"""What the graph in a ``.meta`` leaves out; whole runs are in tests/scenarios/test_constructor_values.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checkpoints.writing.stored_graph import LARGE_BYTES, leave_out_large_initial_values, stored_graph

v1 = tf.compat.v1


def graph_with(size: int) -> tuple[Any, Any]:
    """Returns a graph with a variable of float32 [size], whose initial value is a constant, and its Saver."""
    with tf.Graph().as_default() as graph:
        values = np.arange(size, dtype=np.float32)
        variable = tf.Variable(tf.constant(values, name="first"), name="w")
        tf.add(variable, tf.constant(values + 1.0, name="used"), name="op")
        v1.global_variables_initializer()
        return graph, v1.train.Saver([variable])


def ops_of(graph_def: Any) -> dict[str, str]:
    return {node.name: node.op for node in graph_def.node}


def test_a_large_initial_value_is_left_out_and_a_small_one_is_not() -> None:
    for size, op in ((LARGE_BYTES // 4, "Placeholder"), (LARGE_BYTES // 8, "Const")):
        graph, saver = graph_with(size)
        with graph.as_default():
            found = ops_of(stored_graph(saver, {}, ()).graph_def)
        assert (found["first"], found["used"]) == (op, "Const")


def test_a_value_that_something_else_needs_stays() -> None:
    graph, _ = graph_with(LARGE_BYTES // 4)
    with graph.as_default():
        tf.identity(graph.get_tensor_by_name("first:0"), name="also")
    graph_def = graph.as_graph_def()
    leave_out_large_initial_values(graph_def, ["w/Assign"])
    assert ops_of(graph_def)["first"] == "Const"


def test_a_constructors_ops_are_left_out_with_what_only_they_need() -> None:
    graph, saver = graph_with(2)
    with graph.as_default():
        (variable,) = v1.global_variables()
        given = variable.assign(tf.constant([5.0, 6.0], name="given"))
        tf.identity(given, name="read_again")
        meta = stored_graph(saver, {}, {given.op.name})
    found = ops_of(meta.graph_def)
    assert not {"given", given.op.name, "read_again"} & found.keys() and {"w", "w/Assign", "op", "init"} <= found.keys()
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(meta)
        session.run("init")
        assert session.run("op:0").tolist() == [1.0, 3.0]
