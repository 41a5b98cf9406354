"""Generators as data: forms and dtypes, what is refused by name, and a resume that leaves out what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from tests.helpers import assert_same_bits, points, run
from tests.test_same_bits import Stop
from trainer.data.generated import Generated
from trainer.data.streamed import Streamed
from trainer.errors import RequestError, TrainerError
from trainer.graph.data.data_source import inspect_source
from trainer.graph.data.generator_dataset import CHUNK, generator_dataset


def rows() -> Iterator[Any]:
    arrays = points()
    for x, y in zip(arrays.inputs["x"], arrays.labels["y"], strict=True):
        yield {"x": x}, {"y": y}


def own_batches() -> Iterator[Any]:
    arrays = points()
    for start in range(0, 40, 9):
        yield {"x": arrays.inputs["x"][start : start + 9]}, {"y": arrays.labels["y"][start : start + 9]}


FORMS: dict[str, tuple[Any, Any]] = {
    "floats of Python": ((1.0, 2), (tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int64))),
    "float64": ({"a": np.zeros(3)}, {"a": tf.TensorSpec([3], tf.float32)}),
    "lists are arrays": (([1.0, 2.0], "text"), (tf.TensorSpec([2], tf.float32), tf.TensorSpec([], tf.string))),
    "no weights": (({"a": 1}, True, None), ({"a": tf.TensorSpec([], tf.int64)}, tf.TensorSpec([], tf.bool))),
    "uint8": (np.zeros([2, 2], np.uint8), tf.TensorSpec([2, 2], tf.uint8)),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_element_has_the_form_and_the_dtypes_of_its_values(name) -> None:
    element, spec = FORMS[name]
    with tf.Graph().as_default():
        assert generator_dataset(lambda: iter([element]), "dataset", batched=False).element_spec == spec


def test_an_axis_that_differs_in_the_first_elements_may_differ() -> None:
    with tf.Graph().as_default():
        made = generator_dataset(lambda: (np.zeros([n, 3]) for n in (2, 5)), "dataset", batched=False)
        assert made.element_spec.shape.as_list() == [None, 3]


def elements_of(function: Callable[[], Any]) -> list[Any]:
    """Returns what a data set of the elements yields, up to an error, whose message is the last."""
    found: list[Any] = []
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        dataset = generator_dataset(function, "dataset", batched=False)
        following = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
        try:
            while True:
                found.append(session.run(following))
        except tf.errors.OutOfRangeError:
            return found
        except tf.errors.OpError as error:
            return [*found, error.message]


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_each_element_comes_once_and_in_order(count) -> None:
    found = elements_of(lambda: ({"a": np.full(n % 3, n), "b": str(n)} for n in range(count)))
    assert [each["a"].tolist() for each in found] == [[n] * (n % 3) for n in range(count)]
    assert [each["b"] for each in found] == [str(n).encode() for n in range(count)]


def test_an_array_may_be_yielded_again_and_again() -> None:
    def refilled() -> Iterator[Any]:
        row = np.zeros(2, np.float32)
        for number in range(100):
            row[:] = number
            yield row, number

    assert [(row.tolist(), number) for row, number in elements_of(refilled)] == [([n, n], n) for n in range(100)]


def test_what_comes_before_an_error_is_seen() -> None:
    def broken() -> Iterator[Any]:
        yield from range(40)
        raise OSError("the socket is closed")

    *numbers, message = elements_of(broken)
    assert numbers == list(range(40))
    assert "the socket is closed" in message


@pytest.mark.parametrize("kind", ["skip", "shuffled", "own batches"])
def test_a_resume_leaves_out_what_was_drawn(kind, tmp_path) -> None:
    def data() -> Generated:
        if kind == "own batches":
            return Generated(own_batches, batched=True, validation=own_batches)
        return Generated(rows, 8, shuffle_buffer=16 if kind == "shuffled" else 0, validation={"rows": rows})

    def callbacks() -> dict[str, Any]:
        return {"e": Evaluate(), "c": Checkpoint(every_n_epochs=1)}

    run(tmp_path / "a", callbacks(), data=data(), epochs=3)
    assert run(tmp_path / "b", {"s": Stop(7), **callbacks()}, data=data(), epochs=3).global_step == 7
    assert run(tmp_path / "b", callbacks(), data=data(), epochs=3, steps_per_call=2).global_step == 15
    assert_same_bits(tmp_path / "a/checkpoints/model-3", tmp_path / "b/checkpoints/model-3")


def raising() -> Iterator[Any]:
    yield 1.0
    raise OSError("the socket is closed")


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (lambda: iter([]), "dataset yields nothing"),
    "raises": (raising, r"dataset raised OSError: the socket is closed .*test_generator_dataset.py:\d+"),
    "other keys": (lambda: iter([{"a": 1}, {"b": 1}]), "element 1 of dataset has b, and element 0 has a; yield"),
    "another dtype": (lambda: iter([{"a": 1}, {"a": 1.5}]), r"'a' of element 1 of dataset is float32 \[\], .* int64"),
    "another rank": (lambda: iter([[1.0], [[1.0]]]), r"'x' of element 1 of dataset is float32 \[1, 1\], .* \[1\]"),
    "objects": (lambda: iter([{"a": object()}]), "'a' of element 0 of dataset is object, which TensorFlow does not"),
    "rows of unequal lengths": (
        lambda: iter([{"a": [[1], [1, 2]]}]),
        "dataset raised setting an array element with a sequence",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_element_is_refused_by_name(name) -> None:
    make, message = WRONG[name]
    with pytest.raises(RequestError, match=message):
        inspect_source(Generated(make, 1))


def test_a_later_element_of_another_shape_is_named(tmp_path) -> None:
    def late() -> Iterator[Any]:
        for i in range(80):
            yield {"x": np.zeros(2 if i != 70 else 3)}, {"y": np.zeros(1)}

    with pytest.raises(TrainerError, match=r"'x' of element 70 of dataset has the shape \[3\], and all of the first"):
        run(tmp_path / "run", data=Generated(late, 8, steps_per_epoch=10), epochs=1)


def test_a_position_that_cannot_be_saved_is_refused_with_both_remedies() -> None:
    with pytest.raises(RequestError, match=r"set save_position=false .* or save_position=skip"):
        inspect_source(Streamed(rows, 8, shuffle_buffer=0))
