"""Training that reaches its aim."""

from __future__ import annotations

from tests.helpers import run


def test_training_finds_the_plane(tmp_path) -> None:
    assert run(tmp_path / "run", {}, epochs=60).metrics["loss"] < 1e-2
