"""Data made by a formula."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data.synthetic import line, ratings, ring, visits


def test_a_line_and_ratings() -> None:
    assert np.polyfit(line().inputs["x"].ravel(), line().labels["y"].ravel(), 1) == pytest.approx([3, 1], abs=0.02)
    assert len(ratings(3, 4)) == 12


def test_points_are_around_the_corners_of_a_ring() -> None:
    point = ring(modes=8, noise=0.05).labels["point"]
    assert np.linalg.norm(point, axis=1) == pytest.approx(1.0, abs=0.3)
    angle = np.degrees(np.arctan2(point[:, 1], point[:, 0])) / 45
    assert np.abs(angle - np.round(angle)).mean() < 0.1
    assert len(np.unique(np.round(angle) % 8)) == 8


def test_visits_depend_on_the_pair_and_on_the_traits() -> None:
    arrays = visits(20_000, pages=3, adverts=3)
    pair = arrays.inputs["page"] * 3 + arrays.inputs["advert"]
    clicks = [arrays.labels["click"][pair == each].mean() for each in range(9)]
    assert max(clicks) - min(clicks) > 0.3
    assert visits(7).inputs["traits"].shape == (7, 4)


@pytest.mark.parametrize("make", [ring, visits])
@pytest.mark.parametrize("wrong", [0, 1.5])
def test_a_number_of_examples_is_checked(make, wrong) -> None:
    with pytest.raises((TypeError, ValueError), match=r"data\.examples\.examples"):
        make(wrong)
