"""Overhead of a predictor over a call of its graph."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.processes import Figures


def measure_calls(calls: int = 2000) -> Figures:
    """Worker: a call of a predictor on a small dense net, against a bare ``make_callable``, in turns."""
    import tensorflow as tf

    from trainer.predict.backends.frozen import open_frozen

    v1 = tf.compat.v1
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 512], name="x")
        for _ in range(4):
            x = tf.nn.relu(tf.matmul(x, tf.random.stateless_uniform([512, 512], [1, 2])))
        tf.identity(x, name="op")
        file = Path(folder) / "model.pb"
        file.write_bytes(graph.as_graph_def().SerializeToString())
        batch = np.random.default_rng(0).random((32, 512), np.float32)
        bare: list[float] = []
        checked: list[float] = []
        with open_frozen(file) as predictor, v1.Session(graph=graph) as session:
            call = session.make_callable([graph.get_tensor_by_name("op:0")], [graph.get_tensor_by_name("x:0")])
            for _ in range(calls):
                began = time.perf_counter()
                call(batch)
                between = time.perf_counter()
                predictor(x=batch)
                bare.append(between - began)
                checked.append(time.perf_counter() - between)
    found = {"bare_ms": 1000 * statistics.median(bare), "predictor_ms": 1000 * statistics.median(checked)}
    return {**found, "against_bare": found["predictor_ms"] / found["bare_ms"]}
