"""Batch indices: the order of the examples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Arrays, InMemory
from trainer.graph.data.data_source import inspect_source
from trainer.graph.data.feeds import Skips

v1 = tf.compat.v1


def test_each_pass_has_every_example_once_and_another_order() -> None:
    arrays = Arrays({"x": np.arange(12)}, {"y": np.arange(12)})
    with tf.Graph().as_default(), v1.Session() as session:
        feed = inspect_source(InMemory(arrays, batch_size=4)).make_feed(7, Skips())
        step = v1.placeholder(tf.int64, [])
        (one, _), many = (
            feed.batch(feed.batch_indices(step, 1, 1)[0]),
            feed.batches(feed.batch_indices(step, 6, 10**9), 6),
        )
        feed.initialise(session)
        batches = [session.run(one, {step: i}) for i in range(6)]
        gathered = session.run(many, {step: 0})
    passes = [np.concatenate([batch[0]["x"] for batch in part]) for part in (batches[:3], batches[3:])]
    for one_pass in passes:
        assert sorted(one_pass) == list(range(12))
    assert not np.array_equal(*passes)
    assert np.array_equal(gathered[0]["x"].ravel(), np.concatenate(passes))
    assert all(np.array_equal(batch[0]["x"], batch[1]["y"]) for batch in batches)
