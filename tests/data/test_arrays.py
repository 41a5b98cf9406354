"""Examples in memory: what they may be, and their validation part."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import points
from trainer.data.arrays import Arrays, InMemory, split
from trainer.errors import RequestError


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
    with pytest.raises(ValueError, match=r"max_examples \(0\) must be at least 1"):
        drawn(0)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(RequestError, match="larger than the data"):
        InMemory(points(7), batch_size=8)
