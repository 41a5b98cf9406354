"""Model and optimizer in an open graph: what they give to variables, and tables that inference changes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import Line, points
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.graph.build import open_graph
from trainer.graph.calls import add_calls
from trainer.graph.data.data_source import inspect_source
from trainer.graph.forward.model_parts import build_model_parts
from trainer.training.session import TrainingSession

v1 = tf.compat.v1


def test_an_optimizer_keeps_the_values_that_its_maker_sets() -> None:
    def make_optimizer(_step: Any, _scale: Any) -> Any:
        optimizer = keras.optimizers.Adam(0.001)
        optimizer.iterations.assign(500)
        optimizer.learning_rate = 0.25
        return optimizer

    source = inspect_source(InMemory(points(), batch_size=8))
    opened = open_graph(Line, make_optimizer, source, 0, "off", steps_per_epoch=5)
    with opened.context.graph.as_default():
        graph = add_calls(opened, 5, 5)
    with TrainingSession(graph) as session:
        for _ in range(2):
            session.initialise()
            assert session.session.run("adam/iteration/Read/ReadVariableOp:0") == 500
            assert session.learning_rates() == [np.float32(0.25)]
            session.step(1)
            assert session.session.run("adam/iteration/Read/ReadVariableOp:0") == 501


class Seen(Line):
    """Model that keeps the words that it has seen in a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)

    def __call__(self, inputs: Any, training: bool) -> Any:
        keys = tf.cast(inputs["x"][:, 0], tf.int64)
        known = self.table.lookup(keys)
        self.table.insert(keys, known + 1.0)
        return {"op": super().__call__(inputs, training)["op"] + known[:, None]}


class FromData(Line):
    """Model that sets its offset to the mean of the first batch."""

    ready = False

    def __call__(self, inputs: Any, training: bool) -> Any:
        if not self.ready:
            self.b.assign(tf.reduce_mean(inputs["x"], [0, 1])[None])
            self.ready = True
        return super().__call__(inputs, training)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Seen, r"inference changes 'MutableHashTable', and then its outputs depend on it .*LookupTableFindV2"),
        (FromData, r"FromData sets the variable 'b' from the data of its first call"),
    ],
)
def test_what_a_graph_cannot_keep_is_refused(model: type, message: str) -> None:
    specs = {"x": tf.TensorSpec([None, 2], tf.float32)}, {"y": tf.TensorSpec([None, 1], tf.float32)}
    with tf.Graph().as_default(), pytest.raises(RequestError, match=message):
        build_model_parts(model, *specs)
