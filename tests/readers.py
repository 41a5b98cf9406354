"""Readers of a run's files: plain TensorFlow and NumPy, independent of the code under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.helpers import variables

v1 = tf.compat.v1

X = np.float32([[1.0, 2.0], [0.0, -3.0]])


def line(prefix: Path, x: Any = X) -> Any:
    """Returns the output of ``tests.helpers.Line``, computed from the variables of a checkpoint."""
    values = variables(prefix)
    return x @ values["w"] + values["b"]


def expected(run: Path, number: int, x: Any) -> Any:
    """Returns the output of ``line`` for a checkpoint of a run."""
    return line(run / f"checkpoints/model-{number}", x)


def run_frozen(file: Path, output: str = "op:0", name: str = "x:0", value: Any = X) -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(file.read_bytes()), name="")
        return session.run(output, {name: value})
