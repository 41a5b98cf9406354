"""Sources of examples: arrays, .npz, CSV, TFRecord, functions."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from callbacks.evaluate import Evaluate
from tests.helpers import points, run
from trainer.data.arrays import Arrays, InMemory, split
from trainer.data.digits import load
from trainer.data.files import csv_columns, npz
from trainer.data.streamed import Streamed
from trainer.data.synthetic import line, ratings
from trainer.data.tfrecord import tfrecord
from trainer.errors import RequestError


def test_npz(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((4, 2)), y=np.arange(4))
    arrays = npz(str(tmp_path / "a.npz"), ["x"], ["y"])
    assert (arrays.inputs["x"].dtype, arrays.labels["y"].dtype) == (np.float32, np.int64)


def test_csv(tmp_path) -> None:
    (tmp_path / "a.csv").write_text('width, "height",name,price\n1,2,one,3\n4.5,"5","a, b",-6e1\n')
    arrays = csv_columns(str(tmp_path / "a.csv"), {"x": ["height", "width"]}, {"y": ["price"]})
    assert arrays.inputs["x"].tolist() == [[2.0, 1.0], [5.0, 4.5]]
    assert arrays.labels["y"].tolist() == [[3.0], [-60.0]]


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


TFRECORD_MISTAKES = [
    ({"z": {"shape": [2]}}, "no feature 'z'"),
    ({"x": {"shape": [3]}}, "holds 2 values of float32; the config says 3"),
    ({"x": {"shape": [2], "dtype": "int64"}}, "the config says 2 of int64"),
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
    with pytest.raises(RequestError, match=r"is no readable \.npz file"):
        npz(str(broken), ["x"], ["y"])
    with pytest.raises(RequestError, match="has no column 'a'"):
        csv_columns(str(broken), {"x": ["a"]}, {"y": ["b"]})
    with tf.Graph().as_default(), pytest.raises(RequestError, match="is no readable TFRecord file"):
        tfrecord(str(broken), INPUTS, LABELS)
    with tf.Graph().as_default(), pytest.raises(RequestError, match="no TFRecord file matches"):
        tfrecord(str(tmp_path / "none-*"), INPUTS, LABELS)
    with pytest.raises(RequestError, match="there is no file"):
        npz(str(tmp_path / "none.npz"), ["x"], ["y"])
    with pytest.raises(RequestError, match="is a directory"):
        npz(str(tmp_path), ["x"], ["y"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n", "no row"),
        ("", "no column 'x'"),
        ("x,y\n1,abc\n", "cannot be read as CSV numbers.*abc"),
        ("x,y\n1\n", "cannot be read as CSV numbers"),
        ("X,y\n1,2\n", r"did you mean X\?"),
    ],
)
def test_a_csv_file_with_a_mistake_is_refused(tmp_path, text, message) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(RequestError, match=message):
        csv_columns(str(tmp_path / "a.csv"), {"x": ["x"]}, {"y": ["y"]})


def test_a_name_that_is_not_in_the_npz_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", pixels=np.ones(4), y=np.arange(4))
    with pytest.raises(RequestError, match=r"no array 'pixel'; did you mean pixels\?"):
        npz(str(tmp_path / "a.npz"), ["pixel"], ["y"])


def test_pickles_are_refused(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}, {}], dtype=object), y=np.arange(2))
    with pytest.raises(RequestError, match="pickle"):
        npz(str(tmp_path / "a.npz"), ["x"], ["y"])


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        ({}, {"y": np.ones(2)}, "no inputs"),
        ({"x": np.ones(3)}, {"y": np.ones(2)}, r"\(x: 3, y: 2\)"),
        ({"x": np.ones(3)}, {"x": np.ones(3)}, "an input and a label"),
        ({"x": 3.0}, {}, "must be an array"),
        ({"x": np.array([None])}, {}, "dtype object"),
    ],
)
def test_arrays_that_cannot_be_are_refused(inputs, labels, message) -> None:
    with pytest.raises(RequestError, match=message):
        Arrays(inputs, labels)


def test_the_validation_part_is_disjoint_and_always_the_same() -> None:
    arrays = Arrays({"x": np.arange(100)}, {})
    train, validation = split(arrays, 0.2)
    assert (len(train), len(validation)) == (80, 20)
    assert sorted([*train.inputs["x"], *validation.inputs["x"]]) == list(range(100))
    assert split(arrays, 0.2)[1].inputs["x"].tolist() == validation.inputs["x"].tolist()
    with pytest.raises(RequestError, match="one part empty"):
        split(arrays, 0.001)


def test_few_examples_leave_the_validation_part_as_it_is() -> None:
    def drawn(most: int | None) -> InMemory:
        examples = Arrays({"x": np.arange(100.0)}, {"y": np.arange(100.0)})
        return InMemory(examples, 5, validation=0.3, max_examples=most)

    few, more, everything = drawn(10), drawn(40), drawn(None)
    assert [len(each.train) for each in (few, more, everything)] == [10, 40, 70]
    assert set(few.train.inputs["x"]) < set(more.train.inputs["x"]) < set(everything.train.inputs["x"])
    for each in (few, more):
        np.testing.assert_array_equal(each.validation.inputs["x"], everything.validation.inputs["x"])
    with pytest.raises(ValueError, match=r"data\.max_examples \(0\) must be at least 1"):
        drawn(0)


def test_some_of_the_digits() -> None:
    digits = load([5, 9])
    assert set(digits.labels["digit"]) == {5, 9}
    assert len(digits) == sum(np.isin(load().labels["digit"], [5, 9]))
    for wrong in ([], [3, 12]):
        with pytest.raises(ValueError, match="must be digits from 0 to 9"):
            load(wrong)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(RequestError, match="larger than the data"):
        InMemory(points(7), batch_size=8)


def test_the_shipped_data() -> None:
    digits = load()
    assert digits.inputs["image"].shape == (1797, 8, 8, 1)
    assert float(digits.inputs["image"].max()) == 1.0
    assert np.polyfit(line().inputs["x"].ravel(), line().labels["y"].ravel(), 1) == pytest.approx([3, 1], abs=0.02)
    assert len(ratings(3, 4)) == 12
