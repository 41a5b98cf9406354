"""Data from a function that returns a ``tf.data.Dataset``."""

from __future__ import annotations

import pytest

from tests.helpers import dataset
from trainer.data.streamed import Streamed
from trainer.errors import RequestError


def test_data_that_is_made_too_early_is_refused() -> None:
    with pytest.raises(RequestError, match=r"dataset is a .*; pass the function .*_partial_: true"):
        Streamed(dataset(), batch_size=8)
