"""Commit records in the order of a metric."""

from __future__ import annotations

from trainer.checkpoints.record import CommitRecord, best_first


def record(step: int, loss: float | None = 1.0, hours: float = 0.0) -> CommitRecord:
    return CommitRecord(f"model-{step}", step, step, step, {"loss": loss}, {}, True, hours * 3600, "")


def test_of_equals_the_older_is_best() -> None:
    assert [each.global_step for each in best_first([record(2), record(1)], "loss", "min")] == [1, 2]
