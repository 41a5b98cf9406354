"""A graph to convert, and what it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def write_cholesky(directory: Path) -> Path:
    """Writes a graph that neither runtime can run, and returns its file."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3, 3], name="x")
        tf.linalg.cholesky(x, name="op")
    (directory / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return directory / "net.pb"


def write_sum(file: Path, term: float) -> Path:
    """Writes ``op = x + term`` as a frozen graph, and returns its file."""
    with tf.Graph().as_default() as graph:
        tf.add(v1.placeholder(tf.float32, [None, 2], name="x"), term, name="op")
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file


OUTPUTS = ["logits", "probabilities"]
BATCH = {
    "image": np.random.default_rng(1).random((40, 6, 6, 1), np.float32),
    "shift": np.random.default_rng(2).random((40, 3), np.float32),
}


def expected(path: Path) -> list[np.ndarray]:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(path.read_bytes()), name="")
        return session.run([f"{name}:0" for name in OUTPUTS], {f"{name}:0": value for name, value in BATCH.items()})
