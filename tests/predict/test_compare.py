"""Two predictors on the same batch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import variables
from trainer.errors import RequestError
from trainer.predict.backends.dispatch import open_predictor
from trainer.predict.backends.frozen import open_frozen
from trainer.predict.compare import compare_predictors, completed_batch, difference, random_batch
from trainer.predict.tensor_info import TensorInfo


@pytest.mark.parametrize(
    ("first", "second", "absolute", "same"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0, True),
        ([1.0, 2.0], [1.0, 2.1], 0.1, False),
        ([1000.0], [1000.001], 0.001, True),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0, True),
        ([np.nan], [1.0], np.nan, False),
        ([1.0], [1.0, 2.0], None, False),
        ([], [], 0.0, True),
        ([b"a"], [b"a"], None, True),
    ],
)
def test_differences(first, second, absolute, same) -> None:
    found = difference("op", np.array(first), np.array(second), 1e-5)
    assert found.same is same
    assert found.absolute == (absolute if absolute is None else pytest.approx(absolute, rel=1e-3, nan_ok=True))


def test_two_checkpoints_of_a_run(small_run) -> None:
    batch = {"x": np.eye(2)}
    old, new = (variables(small_run / f"checkpoints/model-{n}") for n in (1, 3))
    with open_predictor(small_run / "checkpoints/model-1") as first, open_predictor(small_run) as second:
        (found,) = compare_predictors(first, second, batch)
        (same,) = compare_predictors(first, first, batch)
    apart = np.abs((old["w"] + old["b"]) - (new["w"] + new["b"]))
    assert found.absolute == pytest.approx(apart.max(), rel=1e-4)
    assert (found.same, same.same) == (False, True)


def test_nothing_in_common(small_run) -> None:
    file = small_run / "export/frozen/model.pb"
    with (
        open_frozen(file, {"a": "op"}) as first,
        open_frozen(file, {"b": "op"}) as second,
        pytest.raises(RequestError, match="no output in common: a and b"),
    ):
        compare_predictors(first, second, {"x": np.eye(2)})


def test_random_batches() -> None:
    inputs = {
        "x": TensorInfo("x:0", "float32", (None, 3)),
        "n": TensorInfo("n:0", "int64", (None,)),
        "rate": TensorInfo("rate:0", "float32", (), optional=True),
    }
    batch = random_batch(inputs, seed=1)
    assert {name: (value.dtype.name, value.shape) for name, value in batch.items()} == {
        "x": ("float32", (16, 3)),
        "n": ("int64", (16,)),
    }
    assert set(batch["n"]) == {0, 1}
    assert np.array_equal(batch["x"], random_batch(inputs, seed=1)["x"])
    assert not np.array_equal(batch["x"], random_batch(inputs, seed=2)["x"])
    with pytest.raises(RequestError, match=r"no random value .* 's' \(string \[\?\]\); give one"):
        random_batch({"s": TensorInfo("s:0", "string", (None,))}, seed=1)


ROWS, MORE = TensorInfo("x:0", "float32", (None, 2)), TensorInfo("y:0", "int32", (None,))
KEEP = TensorInfo("keep_prob:0", "float32", (), optional=True)


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        ({}, {"x": (16, 2), "y": (16,)}),
        ({"keep_prob": 0.5}, {"x": (16, 2), "y": (16,), "keep_prob": ()}),
        ({"x": [[1, 2], [3, 4], [5, 6]]}, {"x": (3, 2), "y": (3,)}),
        ({"x": [[1, 2]], "y": [0], "keep_prob": 1}, {"x": (1, 2), "y": (1,), "keep_prob": ()}),
    ],
)
def test_what_is_not_given_is_made_up(given, shapes) -> None:
    batch = completed_batch(given, {"x": ROWS, "y": MORE, "keep_prob": KEEP}, seed=0)
    assert {name: np.shape(value) for name, value in batch.items()} == shapes
