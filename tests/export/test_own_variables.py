"""Variables of an exported graph: what a session and a Saver find in them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer.export.own_variables import like
from trainer.graph.ops.variables import load_values

v1 = tf.compat.v1

VALUES = {
    "scope/float": np.float32([[1.5, -2.0]]),
    "half": np.float16([0.5]),
    "flag": np.array(True),
    "count": np.int64(2**40),
    "words": np.array([b"a", b""], object),
    "complex": np.complex64([1 + 2j]),
    "empty": np.zeros([0, 3], np.float32),
}


@pytest.fixture
def variables():
    """Variables of these values in a graph of their own."""
    with tf.Graph().as_default():
        yield {name: v1.get_variable(name, initializer=tf.constant(value)) for name, value in VALUES.items()}


def test_they_have_the_dtypes_shapes_and_names_of_others_and_no_value(variables) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        own = like(variables)
        session.run(v1.global_variables_initializer())
        for name, value in VALUES.items():
            empty = session.run(own[name])
            assert (own[name].op.name, empty.dtype, empty.shape) == (name, value.dtype, value.shape)
            assert not np.any(empty)
        assert v1.trainable_variables() == v1.global_variables() == list(own.values())


def test_a_saver_stores_what_was_loaded_into_them(variables, tmp_path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        own = like(variables)
        load_values(session, [(own[name], value) for name, value in VALUES.items()])
        v1.train.Saver().save(session, str(tmp_path / "model"))
    reader = tf.train.load_checkpoint(str(tmp_path / "model"))
    for name, value in VALUES.items():
        np.testing.assert_array_equal(reader.get_tensor(name), value)


def test_one_of_unknown_shape_takes_that_of_its_value() -> None:
    with tf.Graph().as_default():
        unknown = v1.get_variable("any", initializer=v1.placeholder(tf.float32), validate_shape=False)
    with tf.Graph().as_default(), v1.Session() as session:
        own = like({"any": unknown})
        load_values(session, [(own["any"], np.ones([2, 5]))])
        assert session.run(own["any"]).shape == (2, 5)
