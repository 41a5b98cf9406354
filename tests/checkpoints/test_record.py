"""Commit records in the order of a metric."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainer.checkpoints.record import CommitRecord, FileEntry, best_first, read_record
from trainer.checkpoints.store import CheckpointStore
from trainer.errors import CheckpointError


def record(step: int, loss: float | None = 1.0, hours: float = 0.0) -> CommitRecord:
    return CommitRecord(f"model-{step}", step, step, step, {"loss": loss}, {}, True, hours * 3600, "")


def test_of_equals_the_older_is_best() -> None:
    assert [each.global_step for each in best_first([record(2), record(1)], "loss", "min")] == [1, 2]


def written(folder: Path, stem: str = "model-1", **changes: Any) -> Path:
    file = folder / f"{stem}.json"
    file.write_text(json.dumps(replace(record(1), **changes).to_json()))
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../model-1"}, r"names '../model-1', which is not in its directory"),
        ({"files": {"/etc/passwd": FileEntry(1, "0")}}, r"names '/etc/passwd', which is not in its directory"),
        ({"files": {"../x.index": FileEntry(1, "0")}}, "which is not in its directory"),
        ({"number": "1"}, "number is '1'"),
        ({"global_step": None}, "global_step is None"),
        ({"metrics": [1]}, r"metrics is \[1\]"),
        ({"complete": 1}, "complete is 1"),
        ({"saved_at": "2026-02-31T00:00:00+00:00"}, "day is out of range"),
    ],
    ids=str,
)
def test_a_record_of_somebody_else_names_its_own_files_and_has_values_of_the_right_kinds(
    tmp_path, changes, message
) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_record(written(tmp_path, **changes))


def test_a_record_under_another_name_removes_nothing(tmp_path) -> None:
    written(tmp_path, "model-2", name="model-1")
    found, unreadable = CheckpointStore(tmp_path, "model").records()
    assert (found, [each.name for each in unreadable]) == ([], ["model-2"])


def test_deep_nesting_is_no_record(tmp_path) -> None:
    (tmp_path / "model-1.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="nested too deeply"):
        read_record(tmp_path / "model-1.json")
