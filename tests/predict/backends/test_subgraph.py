"""The part of a graph that is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.old_graphs import X, save_graph, variable
from tests.readers import expected
from trainer.errors import RequestError
from trainer.predict.backends.checkpoint import open_checkpoint
from trainer.predict.backends.frozen import open_frozen


def test_any_node_can_be_asked_for(small_run) -> None:
    with open_checkpoint(small_run, ["loss", "op:0"]) as predictor:
        assert sorted(predictor.inputs) == ["x", "y"]
        results = predictor(x=X, y=expected(small_run, 3, X) + 2)
        assert results["loss"] == pytest.approx(4, rel=1e-4)
        assert results["loss"].shape == ()
    with open_frozen(small_run / "export/frozen/model.pb", {"mine": "op"}) as predictor:
        assert list(predictor(x=X)) == ["mine"]
    with open_checkpoint(small_run, inputs={"op": "x"}) as predictor:
        assert predictor(op=X)["op"] == pytest.approx(expected(small_run, 3, X), rel=1e-5)


def test_a_tensor_of_a_pipeline_is_fed_in_its_place(tmp_path) -> None:
    def build() -> None:
        queue = tf.queue.FIFOQueue(10, [tf.float32, tf.int32], [[2], []])
        images, _ = queue.dequeue_many(5, name="batch")
        tf.multiply(images, variable("scale", np.float32(3.0)), name="op")

    prefix = save_graph(tmp_path, build)
    with pytest.raises(RequestError, match=r"need 'batch' \(QueueDequeueManyV2\), which reads data by itself"):
        open_checkpoint(prefix, ["op"])
    with open_checkpoint(prefix, ["op"], inputs={"images": "batch:0"}) as predictor:
        assert predictor.inputs["images"].dtype == "float32"
        assert predictor(images=np.ones((5, 2)))["op"] == pytest.approx(3 * np.ones((5, 2)))
