"""Pipelines that are too short, or whose position cannot be saved."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.helpers import dataset, points, run
from trainer.data.streamed import Streamed
from trainer.errors import RequestError


def test_a_batch_larger_than_a_data_set_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match="larger than the data"):
        run(tmp_path / "run", data=Streamed(dataset, batch_size=80))


def generated() -> tf.data.Dataset:
    def examples() -> Any:
        arrays = points()
        for x, y in zip(arrays.inputs["x"], arrays.labels["y"], strict=True):
            yield {"x": x}, {"y": y}

    spec = {"x": tf.TensorSpec([2], tf.float32)}, {"y": tf.TensorSpec([1], tf.float32)}
    return tf.data.Dataset.from_generator(examples, output_signature=spec)


def test_a_pipeline_that_cannot_be_saved_is_refused_at_once(tmp_path, caplog) -> None:
    pipeline = {"batch_size": 4, "shuffle_buffer": 0, "steps_per_epoch": 10}
    with pytest.raises(RequestError, match="set save_position=false"):
        run(tmp_path / "run", data=Streamed(generated, **pipeline))
    assert not (tmp_path / "run").exists()
    run(tmp_path / "run", data=Streamed(generated, save_position=False, **pipeline), epochs=1)
    assert "a resume starts the data from its beginning" in caplog.text
    assert run(tmp_path / "run", data=Streamed(generated, save_position=False, **pipeline), epochs=2).epoch == 2
