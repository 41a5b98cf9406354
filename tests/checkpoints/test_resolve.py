"""Paths that name a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import run
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import RequestError


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("earlier") / "run"
    run(directory, epochs=2)
    return directory


def test_the_places_that_a_checkpoint_is_found_at(earlier, tmp_path) -> None:
    prefix = earlier / "checkpoints/model-2"
    for place in (earlier, earlier.parent, earlier / "checkpoints", prefix):
        assert resolve_checkpoint(place) == prefix
    assert resolve_checkpoint(earlier / "checkpoints/model-1").name == "model-1"
    assert resolve_checkpoint(Path(f"{earlier}@1")).name == "model-1"
    with pytest.raises(RequestError, match="did you mean model-2"):
        resolve_checkpoint(earlier / "checkpoints/model-22")
    with pytest.raises(RequestError, match="holds no checkpoint"):
        resolve_checkpoint(tmp_path)
