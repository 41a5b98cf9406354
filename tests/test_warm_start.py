"""Settings of a warm start."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.warm_start import WarmStart


@pytest.mark.parametrize(
    ("wanted", "message"),
    [({"variables": "body/*"}, r"must be a list of names, such as \[body/\*\]"), ({"variables": {"w": 1}}, "holds 1")],
)
def test_a_wrong_kind_is_refused(wanted, message) -> None:
    with pytest.raises(TypeError, match=message):
        WarmStart(Path("ckpt"), **wanted)
