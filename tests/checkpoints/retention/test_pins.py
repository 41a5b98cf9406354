"""The file of pins, where it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.checkpoints.retention.pins import read_pins
from trainer.errors import CheckpointError


def names(directory: Path) -> list[str]:
    return sorted(path.stem for path in (directory / "checkpoints").glob("*.index"))


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2, "pinned": []}', '{"format": 1, "pinned": ["a"]}'])
def test_where_pins_cannot_be_read_nothing_is_removed(tool, copy, content) -> None:
    (copy / "checkpoints/pinned.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"pinned\.json"):
        read_pins(copy / "checkpoints")
    code, text = tool("prune", copy, "--keep", 1)
    assert (code, "repair it, or remove it" in text) == (1, True)
    assert len(names(copy)) == 4
