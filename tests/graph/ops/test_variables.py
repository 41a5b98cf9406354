"""Variables by their keys, and values set in one call."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.graph.ops.variables import elements, key_of, load_values, own_part, slice_spec_of, variables_by_key

v1 = tf.compat.v1


def test_parts_share_a_key_and_each_takes_its_own_rows() -> None:
    whole = np.arange(14.0, dtype=np.float32).reshape(7, 2)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("t", [7, 2], partitioner=v1.fixed_size_partitioner(3))
        v1.get_variable("c", [7, 2], partitioner=v1.fixed_size_partitioner(2, axis=1), use_resource=False)
        v1.get_variable("w", [7, 2])
        found = variables_by_key(v1.global_variables())
        assert {key: len(parts) for key, parts in found.items()} == {"t": 3, "c": 2, "w": 1}
        assert [slice_spec_of(each) for each in found["t"]] == ["7 2 0,3:0,2", "7 2 3,2:0,2", "7 2 5,2:0,2"]
        load_values(session, [(each, own_part(whole, each)) for parts in found.values() for each in parts])
        values = {key: session.run(parts) for key, parts in found.items()}
    np.testing.assert_array_equal(np.concatenate(values["t"]), whole)
    np.testing.assert_array_equal(np.concatenate(values["c"], axis=1), whole)
    np.testing.assert_array_equal(values["w"][0], whole)


def test_slots_of_parts_have_the_key_of_the_whole() -> None:
    with tf.Graph().as_default():
        parts = list(v1.get_variable("t", [4, 2], partitioner=v1.fixed_size_partitioner(2)))
        v1.train.AdamOptimizer().minimize(tf.add_n([tf.reduce_sum(each) for each in parts]))
        keys = {key_of(each) for each in v1.global_variables()}
    assert keys == {"t", "t/Adam", "t/Adam_1", "beta1_power", "beta2_power"}


def test_variables_that_were_made_from_one_tensor_keep_values_of_their_own() -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        same = tf.zeros([2])
        a, b = (v1.Variable(same, name=name) for name in ("a", "b"))
        text = v1.get_variable("text", initializer=np.array([b"x"], object))
        nodes = len(v1.get_default_graph().get_operations())
        load_values(session, [(a, [1.0, 2.0]), (b, [3.0, 4.0]), (text, [b"y"])])
        assert len(v1.get_default_graph().get_operations()) == nodes
        assert [session.run(each).tolist() for each in (a, b, text)] == [[1.0, 2.0], [3.0, 4.0], [b"y"]]


def test_a_variable_of_unknown_shape_counts_as_none() -> None:
    with tf.Graph().as_default():
        initial = v1.placeholder_with_default(tf.zeros([1, 2]), [None, 2])
        assert elements(v1.get_variable("any", initializer=initial, validate_shape=False)) == 0
        assert elements(v1.get_variable("empty", [0, 3])) == 0
        assert elements(v1.get_variable("scalar", [])) == 1
