"""Records are counted without parsing, and batches of them are those of their examples."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data import unparsed
from trainer.data.csv_stream import csv_stream
from trainer.data.streamed import Streamed
from trainer.data.tfrecord import tfrecord
from trainer.graph.data.batching import shuffled_batches

v1 = tf.compat.v1

TEXTS = st.lists(st.sampled_from([b"a", b"1,2", b"", b"\r", b"a\r", b"\n", b"\r\n"]), max_size=12).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, ends=st.booleans(), size=st.integers(1, 7))
def test_lines_are_counted_as_tensorflow_reads_them(tmp_path_factory, text, ends, size) -> None:
    file = tmp_path_factory.mktemp("lines") / "file.csv"
    file.write_bytes(b"x,y\n" + text + (b"\n" if ends else b""))
    read = [line for line in tf.data.TextLineDataset(str(file)).skip(1).as_numpy_iterator() if line]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unparsed, "CHUNK_BYTES", size)
        assert unparsed.count_lines([str(file)]) == len(read)


def written(folder: Path, count: int = 50) -> None:
    """Writes the same examples as three files of each kind; one CSV file has empty lines."""
    x = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    for part in range(3):
        with tf.io.TFRecordWriter(str(folder / f"{part}.tfrecord")) as writer:
            for row in x[part::3]:
                feature = {
                    "x": tf.train.Feature(float_list=tf.train.FloatList(value=row)),
                    "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(row[0] > 0)])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
        with (folder / f"{part}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["a", "b", "c"])
            for row in x[part::3]:
                rows.writerow(row)
                if part == 1:
                    file.write("\n\r\n")


def draws(dataset: Any) -> list[Any]:
    """Returns the elements of a data set of the graph."""
    following = v1.data.make_one_shot_iterator(dataset).get_next()
    found = []
    with v1.Session() as session:
        while True:
            try:
                found.append(session.run(following))
            except tf.errors.OutOfRangeError:
                return found


def records(folder: Path) -> Any:
    return tfrecord(f"{folder}/*.tfrecord", {"x": {"shape": [3]}}, {"y": {"shape": [], "dtype": "int64"}}, 2)


def rows(folder: Path) -> Any:
    return csv_stream(f"{folder}/*.csv", {"x": ["a", "b"]}, {"y": ["c"]}, side_by_side=2)


@pytest.mark.parametrize("make", [records, rows])
@pytest.mark.parametrize("buffer", [0, 16])
def test_batches_are_those_of_the_examples_in_the_same_order(tmp_path, make, buffer) -> None:
    written(tmp_path)
    data = Streamed(lambda: None, batch_size=4, shuffle_buffer=buffer)
    with tf.Graph().as_default():
        dataset = make(tmp_path)
        found = draws(shuffled_batches(data, dataset, seed=3))
        examples = dataset if not buffer else dataset.shuffle(buffer, seed=3)
        expected = draws(examples.batch(4, drop_remainder=True))
    assert len(found) == len(expected) == 12
    for ours, wanted in zip(found, expected, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, ours, wanted)


@pytest.mark.parametrize("make", [records, rows])
def test_the_count_is_that_of_the_examples(tmp_path, make) -> None:
    written(tmp_path)
    with tf.Graph().as_default():
        dataset = make(tmp_path)
        assert unparsed.unparsed_of(dataset).count() == len(draws(dataset)) == 50
        assert unparsed.unparsed_of(dataset.map(lambda *each: each)) is None
