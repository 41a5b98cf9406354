"""A job without Hydra."""

from __future__ import annotations

from tests.helpers import job


def test_a_job_can_be_made_without_hydra(tmp_path) -> None:
    assert job(tmp_path / "run").epochs == 3
