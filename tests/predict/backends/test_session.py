"""Sessions of predictors: side by side, in threads, apart from the default graph."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf

from tests.readers import expected
from trainer.predict.backends.dispatch import open_predictor

X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)


def test_several_side_by_side_and_in_threads(small_run) -> None:
    with open_predictor(small_run / "checkpoints/model-1") as old, open_predictor(small_run) as new:
        found: dict[int, np.ndarray] = {}
        threads = [
            threading.Thread(target=lambda i=i: found.update({i: (old, new)[i % 2](x=X)["op"]})) for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i in range(8):
        assert found[i] == pytest.approx(expected(small_run, (1, 3)[i % 2], X), rel=1e-5)


def test_nothing_is_left_in_the_default_graph(small_run) -> None:
    with tf.Graph().as_default() as graph, open_predictor(small_run) as predictor:
        predictor(x=X)
        assert graph.get_operations() == []
