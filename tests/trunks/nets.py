"""A frozen graph, and a model with a head on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import run
from trainer.callback import Callback
from trainer.trunks.trunk import Trunk

v1 = tf.compat.v1

UNITS = 300
"""Enough for its weights to count as large."""


def net() -> None:
    """features = relu(x @ kernel + bias), with a share to keep that has a default; variables of both kinds."""
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    keep = v1.placeholder_with_default(1.0, [], name="keep")
    with v1.variable_scope("dense", initializer=v1.random_normal_initializer(seed=1)):
        kernel = v1.get_variable("kernel", [2, UNITS], use_resource=False)
        bias = v1.get_variable("bias", [UNITS], use_resource=True)
    hidden = tf.nn.relu(tf.matmul(x, kernel) + bias)
    tf.multiply(tf.reshape(hidden, [-1, UNITS]), keep, name="features")
    tf.reduce_sum(x, name="other")


def freeze(file: Path, make: Callable[[], None], outputs: list[str]) -> Path:
    """Freezes a graph with plain TensorFlow."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        make()
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), outputs)
    file.write_bytes(frozen.SerializeToString())
    return file


class Head:
    """A line on the features of a trunk."""

    def __init__(self, **trunk: Any) -> None:
        self.parts = [Trunk(outputs=["features"], **trunk)]
        self.parts[0].build()
        self.w = v1.get_variable("head/w", [UNITS, 1], initializer=v1.zeros_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.parts[0](inputs)["features"] @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


def with_exports() -> dict[str, Callback]:
    return {"checkpoint": Checkpoint(), "freeze": Freeze(), "saved_model": SavedModel()}


def train_on(file: Path, directory: Path, **changes: Any) -> Path:
    trunk = changes.pop("trunk", {})
    changes.setdefault("callbacks", with_exports())
    run(directory, make_model=lambda: Head(path=str(file), **trunk), **{"epochs": 2, **changes})
    return directory


def constants(file: Path) -> dict[str, Any]:
    graph_def = v1.GraphDef.FromString(file.read_bytes())
    return {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in graph_def.node if n.op == "Const"}
