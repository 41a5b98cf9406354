"""Data from a function that returns a ``tf.data.Dataset``."""

from __future__ import annotations

import pytest

from tests.helpers import dataset
from trainer.data.streamed import Streamed
from trainer.errors import RequestError


def test_data_that_is_made_too_early_is_refused() -> None:
    with pytest.raises(RequestError, match=r"dataset is a .*; pass the function .*_partial_: true"):
        Streamed(dataset(), batch_size=8)


def test_a_share_of_a_stream_is_refused_with_a_way() -> None:
    with pytest.raises(RequestError, match=r"validation \(0.2\) is a share, which a stream .*skip\(1000\)"):
        Streamed(dataset, batch_size=8, validation=0.2)  # type: ignore[arg-type]
