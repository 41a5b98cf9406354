"""Savers of a run, built after its callbacks."""

from __future__ import annotations

import pytest
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.state.rollback import make_variables
from trainer.graph.state.run_savers import RunSavers, is_variable, saved_tensors

v1 = tf.compat.v1


def keys(saver) -> list[str]:
    return sorted({each.key for each in saved_tensors(saver)})


def test_the_savers_hold_what_came_before_they_were_built_and_name_what_came_later() -> None:
    with tf.Graph().as_default() as graph:
        v1.get_variable("w", [])
        savers = RunSavers(with_rollback=True)
        taken_early = savers.saver
        make_variables()
        v1.get_variable("of_a_callback", [])
        tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="seen")
        assert savers.late(graph) == []
        savers.build()
        both = ["of_a_callback", "seen-keys", "seen-values"]
        assert keys(savers.restorer) == [*both, "w"]
        assert keys(taken_early) == ["of_a_callback", "rollback/rate_scale", "rollback/skipped_steps", *both[1:], "w"]
        v1.get_variable("late", [])
        tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="late_table")
        savers.build()
        assert savers.late(graph) == ["late", "late_table"]


def test_the_names_of_a_saver_are_those_of_tensorflow_s_own() -> None:
    with tf.Graph().as_default():
        v1.get_variable("w", [2], use_resource=False)
        v1.get_variable("parts", [4], partitioner=v1.fixed_size_partitioner(2))
        savers = RunSavers(with_rollback=False)
        savers.build()
        plain = [(each.key, each.slice_spec) for each in saved_tensors(v1.train.Saver())]
        assert [(each.key, each.slice_spec) for each in saved_tensors(savers.saver)] == plain


def test_two_things_of_one_name_are_refused() -> None:
    with tf.Graph().as_default():
        for _ in range(2):
            tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, 0, empty_key=-1, deleted_key=-2)
        with pytest.raises(RequestError, match="two saved objects have the name 'MutableDenseHashTable'"):
            RunSavers(with_rollback=False).build()
    with tf.Graph().as_default():
        tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="seen")
        v1.get_variable("seen-keys", [])
        with pytest.raises(RequestError, match="two saved objects have the name 'seen-keys'"):
            RunSavers(with_rollback=False).build()


def test_a_variable_is_told_from_a_table() -> None:
    with tf.Graph().as_default():
        v1.get_variable("resource", [])
        v1.get_variable("reference", [], use_resource=False)
        v1.get_variable("parts", [4], partitioner=v1.fixed_size_partitioner(2))
        tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="seen")
        found = {each.key: is_variable(each) for each in saved_tensors(v1.train.Saver())}
    assert found == {"resource": True, "reference": True, "parts": True, "seen-keys": False, "seen-values": False}
