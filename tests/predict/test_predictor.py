"""Calls of a predictor."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.predict.backends.dispatch import open_predictor

X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)


def test_calls_that_are_refused(small_run) -> None:
    predictor = open_predictor(small_run)
    with pytest.raises(TypeError, match=r"the input 'x' \(float32 \[\?, 2\]\) of .* is missing"):
        predictor()
    with pytest.raises(TypeError, match=r"'xx' is not an input of .*; did you mean x\?"):
        predictor(x=X, xx=X)
    with pytest.raises(ValueError, match=r"x has the shape \[7, 1\] and must have \[\?, 2\]"):
        predictor(x=X[:, :1])
    predictor.close()
    predictor.close()
    with pytest.raises(ValueError, match="is closed"):
        predictor(x=X)
