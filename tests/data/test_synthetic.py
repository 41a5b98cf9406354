"""Data made by a formula."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data.synthetic import line, ratings


def test_a_line_and_ratings() -> None:
    assert np.polyfit(line().inputs["x"].ravel(), line().labels["y"].ravel(), 1) == pytest.approx([3, 1], abs=0.02)
    assert len(ratings(3, 4)) == 12
