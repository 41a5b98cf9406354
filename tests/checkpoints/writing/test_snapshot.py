"""Copies of all that a Saver writes, in memory."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import variables
from trainer.checkpoints.writing.snapshot import FiniteCheck, LiveValues, Snapshot
from trainer.errors import NonFiniteError

v1 = tf.compat.v1


def test_a_snapshot_takes_memory_only_until_it_is_released() -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("w", [3], initializer=v1.ones_initializer(), use_resource=True)
        snapshot = Snapshot(v1.train.Saver())
        session.run(weights.initializer)
        snapshot.take(session)
        session.run(weights.assign([np.nan] * 3))
        snapshot.finite.check(session, step=1)
        snapshot.release(session)
        with pytest.raises(tf.errors.FailedPreconditionError):
            snapshot.finite.check(session, step=1)


@pytest.mark.parametrize("use_resource", [True, False], ids=["resource", "reference"])
def test_a_snapshot_has_the_shape_and_type_of_what_it_copies_as_of_one_moment(tmp_path, use_resource) -> None:
    values = {
        "float": np.float32([[1, 2, 3]]),
        "half": np.float16([1, 2]),
        "bfloat": np.asarray([1, 2], tf.bfloat16.as_numpy_dtype),
        "complex": np.complex64([1 + 2j]),
        "scalar": np.int64(7),
        "small": np.int8([1, -1]),
        "bool": np.array([True, False]),
        "strings": np.array([b"a", b"bc"], object),
        "empty": np.zeros([0, 3], np.float32),
    }
    with tf.Graph().as_default(), v1.Session() as session:
        for name, value in values.items():
            v1.get_variable(name, initializer=value, use_resource=use_resource)
        live = LiveValues(v1.train.Saver())
        snapshot = Snapshot(live.saver)
        everything = v1.global_variables()
        changed = [each.assign(tf.zeros_like(each)) for each in everything if "strings" not in each.name]
        session.run([variable.initializer for variable in everything])
        live.saver.save(session, str(tmp_path / "live"), write_meta_graph=False)
        snapshot.take(session)
        session.run(changed)
        snapshot.finite.check(session, step=1)
        snapshot.saver.save(session, str(tmp_path / "copy"), write_meta_graph=False)
    stored = variables(tmp_path / "copy")
    assert stored.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(stored[name], value, strict=True)
    for suffix in (".index", ".data-00000-of-00001"):
        assert (tmp_path / f"copy{suffix}").read_bytes() == (tmp_path / f"live{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float16", np.inf),
        ("bfloat16", np.nan),
        ("float64", -np.inf),
        ("float8_e5m2", np.nan),
        ("complex64", complex(1, np.nan)),
    ],
)
def test_a_number_that_is_not_finite_is_found_in_every_dtype(dtype, value) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        spoilt = tf.constant(np.asarray([1, value], tf.as_dtype(dtype).as_numpy_dtype))
        check = FiniteCheck([("a", tf.zeros([3])), ("b", spoilt), ("s", tf.constant("no number"))])
        with pytest.raises(NonFiniteError, match="the variable b"):
            check.check(session, step=1)
