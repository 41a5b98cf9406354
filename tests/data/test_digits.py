"""The images of digits."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data.digits import load


def test_all_of_the_digits() -> None:
    digits = load()
    assert digits.inputs["image"].shape == (1797, 8, 8, 1)
    assert float(digits.inputs["image"].max()) == 1.0


def test_some_of_the_digits() -> None:
    digits = load([5, 9])
    assert set(digits.labels["digit"]) == {5, 9}
    assert len(digits) == sum(np.isin(load().labels["digit"], [5, 9]))
    for wrong in ([], [3, 12]):
        with pytest.raises(ValueError, match="must be digits from 0 to 9"):
            load(wrong)
