"""Causes of real errors of TensorFlow, Keras and Python, in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.error_text import MAX_LINE, MAX_LINES
from trainer.errors import CallbackError, RequestError, TrainerError, describe, place_in

v1 = tf.compat.v1


def run(fetched: Any, *, soft: bool = False) -> None:
    with v1.Session(config=v1.ConfigProto(allow_soft_placement=soft)) as session:
        session.run(v1.global_variables_initializer())
        session.run(fetched)


def fed(value: Any) -> Any:
    """Returns a tensor whose value the graph does not know while it is built."""
    array = np.asarray(value)
    return v1.placeholder_with_default(array, [None] * array.ndim)


def first_of(data: tf.data.Dataset) -> None:
    run(v1.data.make_one_shot_iterator(data).get_next())


def in_a_function() -> None:
    table = fed(np.zeros(3, np.float32))
    run(tf.function(lambda: tf.while_loop(lambda i: i < 3, lambda i: i + 1 + int_of(tf.gather(table, i + 5)), [0]))())


def int_of(tensor: Any) -> Any:
    return tf.cast(tensor, tf.int32)


def unknown_key(_: Any) -> Any:
    return {"width": 1}["height"]


def bad_image(_: Any) -> Any:
    raise ValueError("image 7 has no channel\nit has 0 bytes")


def rows(*yielded: Any) -> tf.data.Dataset:
    def generate() -> Any:
        yield from yielded
        raise OSError("the camera is gone")

    return tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec([2], tf.float32))


def vocabulary(path: Path) -> None:
    v1.get_variable("w", [3])
    initializer = tf.lookup.TextFileInitializer(str(path / "none.txt"), tf.string, 0, tf.int64, 1)
    tf.lookup.StaticHashTable(initializer, 0)
    run(v1.tables_initializer())


def saved(path: Path) -> str:
    with tf.Graph().as_default(), v1.Session() as session:
        session.run(v1.get_variable("w", [3]).initializer)
        return str(v1.train.Saver().save(session, str(path / "model")))


def restored(prefix: str, name: str, size: int = 3) -> None:
    v1.get_variable(name, [size], use_resource=False)
    with v1.Session() as session:
        v1.train.Saver().restore(session, prefix)


def flipped(path: Path) -> None:
    prefix = saved(path)
    file = path / "model.data-00000-of-00001"
    file.write_bytes(bytes([*file.read_bytes()[:3], 99, *file.read_bytes()[4:]]))
    restored(prefix, "w")


def pinned(device: str) -> None:
    with tf.device(device):
        v1.get_variable("w", [3])
    run([])


def too_large() -> None:
    v1.get_variable("big", [1 << 20, 1 << 24], initializer=v1.random_normal_initializer())
    run([])


def uninitialised() -> None:
    with v1.Session() as session:
        session.run(v1.get_variable("w", [2]))


def records(path: Path) -> None:
    (path / "r.tfrecord").write_bytes(b"nonsense" * 10)
    first_of(tf.data.TFRecordDataset(str(path / "r.tfrecord")))


def example(feature: Any, *records: bytes) -> None:
    run(tf.io.parse_example(tf.constant(list(records)), {"x": feature}))


def labels(values: Any) -> None:
    run(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=fed(values), logits=tf.zeros([len(values), 3])))


def dense() -> None:
    keras.layers.Dense(3, name="top").build([None])


Case = tuple[Callable[[Path], None], str]
CASES: dict[str, Case] = {
    "division": (lambda _: run(fed(1) // fed(0)), "InvalidArgumentError: Integer division by zero (op floordiv)"),
    "gather": (lambda _: run(tf.gather(tf.zeros([3]), fed([7]))), "indices[0] = 7 is not in [0, 3) (op GatherV2)"),
    "label": (lambda _: labels([9]), "a label value of 9 which is outside the valid range of [0, 3)"),
    "many labels": (lambda _: labels([9, *[0] * 5000]), "a label value of 9 which is outside the valid range"),
    "reshape": (lambda _: run(tf.reshape(tf.zeros([6]), fed([4, 2]))), "6 values, but the requested shape has 8"),
    "numerics": (lambda _: run(tf.debugging.check_numerics(fed(np.float32("nan")), "the loss")), "the loss : Tensor"),
    "assertion": (lambda _: run(tf.debugging.Assert(fed(False), ["labels must be positive"])), "[labels must be pos"),
    "function": (lambda _: in_a_function(), "is not in [0, 3)"),
    "matmul": (lambda _: run(fed([[1.0]]) @ fed([[1.0], [2.0]])), "In[0]: [1,1], In[1]: [2,1]"),
    "concat": (lambda _: run(tf.concat([fed([[1.0]]), fed([[1.0, 2.0]])], 0)), "Dimension 1 in both shapes must be"),
    "segments": (lambda _: run(tf.math.segment_sum(tf.ones([2]), fed([1, 0]))), "segment ids are not increasing"),
    "ensured shape": (lambda _: run(tf.ensure_shape(fed([1.0]), [2])), "is not compatible with expected shape [2]"),
    "placeholder": (lambda _: run(v1.placeholder(tf.float32, [3], "x") * 2), "feed a value for placeholder tensor 'x'"),
    "variable": (lambda _: uninitialised(), "FailedPreconditionError: Could not find variable w. (op "),
    "vocabulary": (vocabulary, "none.txt; No such file or directory"),
    "missing key": (lambda path: restored(saved(path), "v"), "NotFoundError: Key v not found in checkpoint"),
    "other shape": (lambda path: restored(saved(path), "w", 4), "lhs shape= [4] rhs shape= [3]"),
    "no checkpoint": (lambda path: restored(str(path / "m"), "w"), "not a valid checkpoint"),
    "damage": (flipped, "DataLossError: TensorBundle at"),
    "numpy_function": (
        lambda _: run(tf.numpy_function(unknown_key, [1.0], tf.float32)),
        f"KeyError: 'height' ({__file__}:",
    ),
    "py_function": (
        lambda _: run(tf.py_function(bad_image, [1.0], tf.float32)),
        "ValueError: image 7 has no channel\nit has 0 bytes (/",
    ),
    "mapped": (
        lambda _: first_of(tf.data.Dataset.range(2).map(lambda i: tf.numpy_function(unknown_key, [i], tf.float32))),
        "KeyError: 'height' (/",  # preceded by "in Map of the data set" where TensorFlow names the part, as 2.18 does
    ),
    "generator": (lambda _: first_of(rows()), "OSError: the camera is gone (/"),
    "generated shape": (lambda _: first_of(rows([1.0, 2.0, 3.0])), "an element of shape (3,) where an element of sha"),
    "generated type": (lambda _: first_of(rows(["a", "b"])), "The expected type was float32"),
    "file": (lambda path: first_of(tf.data.TextLineDataset(str(path / "none.csv"))), "none.csv; No such file"),
    "records": (records, "DataLossError: corrupted record at 0"),
    "feature": (lambda _: example(tf.io.FixedLenFeature([3], tf.float32), b""), "Feature: x (data type: float) is req"),
    "image": (
        lambda _: first_of(tf.data.Dataset.from_tensors(b"z").map(tf.io.decode_png, num_parallel_calls=2)),
        "Unknown image file format.",
    ),
    "ragged": (
        lambda _: first_of(tf.data.Dataset.range(1, 4).map(lambda i: tf.zeros([i])).batch(3)),
        "Cannot add tensor to the batch: number of elements",
    ),
    "memory": (
        lambda _: too_large(),
        "out of memory for a tensor of shape [1048576,16777216] and type float (op big/Initializer/random_normal/",
    ),
    "array": (lambda _: np.zeros(1 << 50), "out of memory: Unable to allocate"),
    "device": (
        lambda _: pinned("/device:GPU:1"),
        "is pinned to the device /device:GPU:1, which there is not here; there are: CPU:0 (session.soft_placement=true",
    ),
    "task": (lambda _: pinned("/job:worker/task:1"), "is pinned to the device /job:worker/task:1, which"),
    "layer": (lambda _: dense(), "shape"),
    "key": (lambda _: unknown_key(None), "KeyError: 'height'"),
}
"""Function that raises, and a part of the text that tells the cause."""

NOISE = ("{{", "[[", "Traceback", "Detected at", "Original", "iterator:", "Debug info", "Graph execution error", "\x1b")


@pytest.mark.parametrize(("raising", "expected"), CASES.values(), ids=CASES)
def test_the_cause_is_told_in_a_few_lines(tmp_path, raising, expected) -> None:
    with tf.Graph().as_default(), pytest.raises(BaseException) as caught:
        raising(tmp_path)
    told = describe(caught.value)
    assert expected in told
    assert not [noise for noise in NOISE if noise in told]
    assert len(told.splitlines()) <= MAX_LINES
    assert all(len(line) <= MAX_LINE + 100 for line in told.splitlines())


def test_an_error_of_the_trainer_keeps_all_its_words() -> None:
    table = "\n".join(f"row {i}" for i in range(30))
    assert describe(RequestError(table)) == table
    assert describe(TrainerError()) == "TrainerError"
    error = CallbackError("mine", "on_epoch_end", KeyError("x"))
    assert str(error) == "callbacks.mine failed in on_epoch_end: KeyError: 'x'"


def test_the_place_is_that_of_the_users_code() -> None:
    with pytest.raises(TypeError) as caught:
        np.vectorize(bad_place)([1])
    assert place_in(caught.value).startswith(f" ({__file__}:")


def bad_place(value: Any) -> Any:
    return value + {}
