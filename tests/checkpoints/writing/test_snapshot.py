"""A copy of the variables in memory."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import variables
from trainer.checkpoints.writing.snapshot import Snapshot

v1 = tf.compat.v1


def test_a_snapshot_takes_memory_only_until_it_is_released() -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("w", [3], initializer=v1.ones_initializer(), use_resource=True)
        snapshot = Snapshot({"w": weights}, [])
        session.run(weights.initializer)
        snapshot.take(session)
        session.run(weights.assign([np.nan] * 3))
        snapshot.finite.check(session, step=1)
        snapshot.release(session)
        with pytest.raises(tf.errors.FailedPreconditionError):
            snapshot.finite.check(session, step=1)


def test_a_snapshot_has_the_shape_and_type_of_what_it_copies(tmp_path) -> None:
    values = {
        "f": np.float32([[1, 2, 3]]),
        "i": np.int64(7),
        "b": np.array([True, False]),
        "s": np.array([b"a", b"bc"], object),
    }
    with tf.Graph().as_default(), v1.Session() as session:
        by_name = {name: tf.Variable(value, trainable=False) for name, value in values.items()}
        snapshot = Snapshot(by_name, [])
        session.run([variable.initializer for variable in by_name.values()])
        snapshot.take(session)
        snapshot.saver.save(session, str(tmp_path / "copy"), write_meta_graph=False)
    stored = variables(tmp_path / "copy")
    assert stored.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(stored[name], value, strict=True)
