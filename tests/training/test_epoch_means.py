"""Means over epochs: the same bits wherever the steps are cut into calls."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.training.epoch_means import EpochMeans

NAMES = ("loss", "error")


def means_of(values: np.ndarray, cuts: list[int], steps_per_epoch: int) -> list[tuple[float, ...]]:
    """The means with one call between each two cuts; the state goes through a new object at each."""
    means, found, begin = EpochMeans(NAMES, steps_per_epoch), [], 0
    for cut in sorted({*(each for each in cuts if 0 < each < len(values)), len(values)}):
        found += means.add(values[begin:cut], secs=1.0)
        begin, state = cut, means.state_dict()
        means = EpochMeans(NAMES, steps_per_epoch)
        means.load_state_dict(state)
    return [tuple(each[name] for name in NAMES) for each in found]


@given(
    steps_per_epoch=st.integers(1, 7),
    steps=st.integers(1, 60),
    cuts=st.lists(st.integers(1, 60)),
    seed=st.integers(0, 99),
)
def test_the_bits_do_not_depend_on_the_calls(steps_per_epoch, steps, cuts, seed) -> None:
    values = np.random.default_rng(seed).normal(scale=1e6, size=(steps, 2)).astype(np.float32)
    values[::3] *= np.float32(1e-12)
    values[::5] = -0.0
    one_by_one = means_of(values, list(range(steps)), steps_per_epoch)
    assert len(one_by_one) == steps // steps_per_epoch
    assert repr(means_of(values, cuts, steps_per_epoch)) == repr(one_by_one)
    for epoch, mean in enumerate(one_by_one):
        expected = values[epoch * steps_per_epoch :][:steps_per_epoch].mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(mean, expected, rtol=1e-9, atol=1e-3)


def test_the_speed_is_of_the_steps_that_were_timed() -> None:
    means = EpochMeans(("loss",), steps_per_epoch=4)
    means.load_state_dict({"steps": 2, "sums": {"loss": 1.0}})
    (ended,) = means.add(np.ones((3, 1), np.float32), secs=1.5)
    assert ended == {"loss": 0.75, "steps_per_sec": 2.0}
