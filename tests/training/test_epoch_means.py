"""Means over epochs: the same bits wherever the steps are cut into calls."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.graph.losses.metric_columns import MetricColumns
from trainer.training.epoch_means import EpochMeans

COLUMNS = MetricColumns(("loss", "error", "recall", "auc"), pairs=("recall",), running=("auc",))


def means_of(values: np.ndarray, cuts: list[int], steps_per_epoch: int) -> list[tuple[float, ...]]:
    """The means with one call between each two cuts; the state goes through a new object at each."""
    means, found, begin = EpochMeans(COLUMNS, steps_per_epoch), [], 0
    for cut in sorted({*(each for each in cuts if 0 < each < len(values)), len(values)}):
        found += means.add(values[begin:cut], secs=1.0)
        begin, state = cut, means.state_dict()
        means = EpochMeans(COLUMNS, steps_per_epoch)
        means.load_state_dict(state)
    return [tuple(each[name] for name in COLUMNS.names) for each in found]


@given(
    steps_per_epoch=st.integers(1, 7),
    steps=st.integers(1, 60),
    cuts=st.lists(st.integers(1, 60)),
    seed=st.integers(0, 99),
)
def test_the_bits_do_not_depend_on_the_calls(steps_per_epoch, steps, cuts, seed) -> None:
    values = np.random.default_rng(seed).normal(scale=1e6, size=(steps, 6)).astype(np.float32)
    values[::3] *= np.float32(1e-12)
    values[::5] = -0.0
    values[:, 4:] = np.abs(values[:, 4:])
    one_by_one = means_of(values, list(range(steps)), steps_per_epoch)
    assert len(one_by_one) == steps // steps_per_epoch
    assert repr(means_of(values, cuts, steps_per_epoch)) == repr(one_by_one)
    for epoch, mean in enumerate(one_by_one):
        rows = values[epoch * steps_per_epoch :][:steps_per_epoch].astype(np.float64)
        np.testing.assert_allclose(mean[:2], rows[:, :2].mean(axis=0), rtol=1e-9, atol=1e-3)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(mean[2], rows[:, 4].sum() / rows[:, 5].sum(), rtol=1e-9)
        assert mean[3] == rows[-1, 3]


def test_the_speed_is_of_the_steps_that_were_timed() -> None:
    means = EpochMeans(MetricColumns(("loss",)), steps_per_epoch=4)
    means.load_state_dict({"steps": 2, "sums": {"loss": 1.0}})
    (ended,) = means.add(np.ones((3, 1), np.float32), secs=1.5)
    assert ended == {"loss": 0.75, "steps_per_sec": 2.0}


def test_a_nan_stays_in_its_epoch_and_the_state_is_valid_json() -> None:
    means = EpochMeans(MetricColumns(("loss",)), steps_per_epoch=2)
    means.add(np.array([[np.nan]], np.float32), secs=1.0)
    state = json.loads(json.dumps(means.state_dict(), allow_nan=False))
    means.load_state_dict(state)
    first, second = means.add(np.ones((3, 1), np.float32), secs=1.0)
    assert np.isnan(first["loss"])
    assert second["loss"] == 1.0


def test_the_epoch_so_far() -> None:
    columns = MetricColumns(("loss", "recall", "auc"), pairs=("recall",), running=("auc",))
    means = EpochMeans(columns, steps_per_epoch=3)
    assert means.so_far() == {}
    means.add(np.float32([[1, 0.5, 0.25, 1, 2], [3, 0, 0.5, 0, 8]]), 1.0)
    assert means.so_far() == {"loss": 2.0, "recall": 0.1, "auc": 0.5}
    resumed = EpochMeans(columns, steps_per_epoch=3)
    resumed.load_state_dict(means.state_dict())
    assert resumed.so_far() == {"loss": 2.0, "recall": 0.1}
    means.add(np.float32([[5, 1, 0.75, 4, 4]]), 1.0)
    assert means.so_far() == {}
