"""Pipelines that are slow for a reason that their ops show, and the line at the end of a run."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import dataset, run
from trainer.data.streamed import Streamed
from trainer.graph.data.pipeline_advice import ALWAYS, CACHE, remedies_for

v1 = tf.compat.v1
FEATURES = {"x": tf.io.FixedLenFeature([], tf.float32)}


def numbers() -> Any:
    return tf.data.Dataset.range(3)


def called(n: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(lambda k: k, [n], tf.int64), n.shape)


def python() -> Any:
    return numbers().map(called, num_parallel_calls=2).batch(2)


def generated() -> Any:
    return tf.data.Dataset.from_generator(lambda: iter([1]), output_signature=tf.TensorSpec([], tf.int32)).batch(2)


def parsed_one_by_one() -> Any:
    records = tf.data.TFRecordDataset("no such file")
    return records.map(lambda record: tf.io.parse_single_example(record, FEATURES), num_parallel_calls=2).batch(4)


def parsed_in_batches() -> Any:
    records = tf.data.TFRecordDataset("no such file").batch(4)
    return records.map(lambda batch: tf.io.parse_example(batch, FEATURES), num_parallel_calls=2)


KINDS = {
    "Python": (python, ["call Python once for a batch", CACHE, ALWAYS]),
    "a generator": (generated, ["call Python once for a batch", CACHE, ALWAYS]),
    "records one by one": (parsed_one_by_one, ["parse after batching", CACHE, ALWAYS]),
    "Python for batches": (lambda: numbers().batch(2).map(called, num_parallel_calls=2), [CACHE, ALWAYS]),
    "records in batches": (parsed_in_batches, [CACHE, ALWAYS]),
    "one after the other": (
        lambda: numbers().map(lambda n: n),
        ["map with num_parallel_calls", CACHE, ALWAYS],
    ),
    "cached": (lambda: numbers().cache(), [ALWAYS]),
    "in a file": (
        lambda: numbers().interleave(lambda n: tf.data.Dataset.range(n).map(lambda k: k)).cache(),
        ["map with num_parallel_calls", ALWAYS],
    ),
}


@pytest.mark.parametrize(("make", "expected"), KINDS.values(), ids=KINDS)
def test_what_makes_it_slow_is_told(make, expected) -> None:
    with tf.Graph().as_default() as graph:
        v1.data.make_initializable_iterator(make().shuffle(4).repeat())
        tf.numpy_function(lambda: np.float32(1), [], tf.float32, name="of_the_model")
        found = remedies_for(graph)
    assert [text for text, beginning in zip(found, expected, strict=True) if not text.startswith(beginning)] == []


def test_a_run_that_waits_for_its_data_says_so_at_its_end(tmp_path, caplog) -> None:
    def slow(inputs: Any, labels: Any) -> Any:
        def wait(x: Any) -> Any:
            time.sleep(0.01)
            return x

        return {"x": tf.ensure_shape(tf.numpy_function(wait, [inputs["x"]], tf.float32), [2])}, labels

    with caplog.at_level("INFO"):
        data = Streamed(lambda: dataset().map(slow), 8, 0, steps_per_epoch=5)
        run(tmp_path / "run", {}, data=data, compile="off", epochs=2)
    (line,) = [each for each in caplog.messages if each.startswith("the data set is the bottleneck")]
    assert "call Python once for a batch" in line
    assert line.endswith(f"map with num_parallel_calls=tf.data.AUTOTUNE, {CACHE}, or {ALWAYS}")
