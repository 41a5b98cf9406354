"""The part of a graph that some outputs need runs by itself."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer.graphdef.subgraph import extract_subgraph

v1 = tf.compat.v1


@pytest.fixture(scope="module")
def graph_def():
    with tf.Graph().as_default() as graph:
        words = v1.placeholder(tf.string, [None], "words")
        rate = v1.placeholder_with_default(1.0, [], "rate")
        entries = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([10.0, 20.0]))
        ids = tf.identity(tf.lookup.StaticHashTable(entries, -1.0).lookup(words), "ids")
        with tf.device("/device:GPU:7"):
            w = v1.get_variable("w", initializer=3.0, use_resource=False)
            tripled = tf.multiply(ids, w, name="tripled")
            step = tf.identity(w, name="beside")
            step.op._set_attr("_class", tf.compat.v1.AttrValue(list=tf.compat.v1.AttrValue.ListValue(s=[b"loc:@w"])))
        tf.function(lambda x: x * rate, autograph=False)(tripled)
        tf.negative(step, name="unused")
    return graph.as_graph_def()


def test_the_table_and_the_variable_that_an_output_needs(graph_def) -> None:
    part = extract_subgraph(graph_def, {"mine": "tripled:0"})
    assert list(part.placeholders) == ["words"]
    assert list(part.variables) == ["w"]
    assert len(part.tables) == 1
    assert not part.graph_def.library.function
    assert {node.device for node in part.graph_def.node} == {""}
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(part.graph_def, name="")
        session.run(list(part.tables))
        session.run(v1.assign(session.graph.get_tensor_by_name("w:0"), 3.0))
        assert session.run(part.outputs["mine"], {"words:0": ["b", "z"]}).tolist() == [60.0, -3.0]


def test_nothing_beyond_a_tensor_that_is_fed(graph_def) -> None:
    part = extract_subgraph(graph_def, {"tripled": "tripled:0"}, {"ids:0"})
    assert (list(part.placeholders), part.tables) == ([], ())
    assert {node.name for node in part.graph_def.node} == {"tripled", "w", "w/read"}


def test_a_part_has_no_devices(graph_def) -> None:
    kept = extract_subgraph(graph_def, {"beside": "beside:0"}).graph_def
    assert {node.device for node in graph_def.node} >= {"/device:GPU:7"}
    assert {node.device for node in kept.node} == {""}
    assert not any("_class" in node.attr for node in kept.node)
    assert any("_class" in node.attr for node in graph_def.node), "the whole graph is left as it is"


def test_the_functions_that_an_output_calls(graph_def) -> None:
    call = next(node.name for node in graph_def.node if node.op == "PartitionedCall" or "StatefulPart" in node.op)
    part = extract_subgraph(graph_def, {"scaled": f"{call}:0"})
    assert list(part.placeholders) == ["words", "rate"]
    assert len(part.graph_def.library.function) == 1
    assert np.isin(["rate", "tripled"], [node.name for node in part.graph_def.node]).all()
