"""Examples from TFRecord files."""

from __future__ import annotations

import pytest
import tensorflow as tf

from callbacks.evaluate import Evaluate
from tests.helpers import points, run
from trainer.data.streamed import Streamed
from trainer.data.tfrecord import tfrecord
from trainer.errors import RequestError


def write_records(path, count: int = 40) -> None:
    arrays = points(count)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for x, y in zip(arrays.inputs["x"], arrays.labels["y"], strict=True):
            feature = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=x)),
                "y": tf.train.Feature(float_list=tf.train.FloatList(value=y)),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


INPUTS, LABELS = {"x": {"shape": [2]}}, {"y": {"shape": [1], "dtype": "float32"}}


def test_tfrecord_trains_and_evaluates(tmp_path) -> None:
    write_records(tmp_path / "a-1.tfrecord", 20)
    write_records(tmp_path / "a-2.tfrecord", 20)

    def records() -> tf.data.Dataset:
        return tfrecord(str(tmp_path / "a-*.tfrecord"), INPUTS, LABELS)

    record = run(tmp_path / "run", {"e": Evaluate()}, data=Streamed(records, 8, validation=records), epochs=2)
    assert record.global_step == 10
    assert record.metrics["val_loss"] > 0


def test_files_side_by_side_are_read_a_record_of_each_in_turn(tmp_path) -> None:
    """16 records in three files, read twice: one order, and each record once."""
    for i, count in enumerate((8, 5, 3)):
        write_records(tmp_path / f"{i}.tfrecord", count)

    def firsts(side_by_side: int) -> list[list[float]]:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            data = tfrecord(str(tmp_path / "*.tfrecord"), INPUTS, LABELS, side_by_side).batch(99)
            inputs, _ = session.run(tf.compat.v1.data.make_one_shot_iterator(data).get_next())
            return inputs["x"].tolist()  # type: ignore[no-any-return]

    rows = points(8).inputs["x"].tolist()
    in_turn = [rows[i] for i in (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7)]
    assert firsts(3) == firsts(9) == in_turn
    assert firsts(1) == [*rows, *rows[:5], *rows[:3]]


TFRECORD_MISTAKES = [
    ({"z": {"shape": [2]}}, "no feature 'z'"),
    ({"x": {"shape": [3]}}, "holds 2 values of float32; expected 3 of float32"),
    ({"x": {"shape": [2], "dtype": "int64"}}, "expected 2 of int64"),
    ({"x": {"shape": [2], "dtype": "float23"}}, "did you mean float32"),
]


@pytest.mark.parametrize(("inputs", "message"), TFRECORD_MISTAKES)
def test_wrong_features_are_refused(tmp_path, inputs, message) -> None:
    write_records(tmp_path / "a.tfrecord", 3)
    with tf.Graph().as_default(), pytest.raises(RequestError, match=message):
        tfrecord(str(tmp_path / "a.tfrecord"), inputs, LABELS)


def test_unreadable_files_are_refused(tmp_path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x01\x02not a file of any kind" * 9)
    with tf.Graph().as_default(), pytest.raises(RequestError, match="is not a readable TFRecord file"):
        tfrecord(str(broken), INPUTS, LABELS)
    with tf.Graph().as_default(), pytest.raises(RequestError, match="no TFRecord file matches"):
        tfrecord(str(tmp_path / "none-*"), INPUTS, LABELS)
