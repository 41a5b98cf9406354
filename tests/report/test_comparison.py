"""Several runs: what differs, and which is the best."""

from __future__ import annotations

from datetime import datetime, timezone

from tests.report.runs_on_disk import write_run
from trainer.report.comparison import compare_runs, labels_of
from trainer.report.run_record import read_run

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)


def records(tmp_path):
    paths = [
        write_run(tmp_path / "sweep/a", 2, name="net"),
        write_run(tmp_path / "sweep/b", 4, name="net", status="failed", error="no", versions={"python": "3.12.1"}),
        write_run(tmp_path / "sweep/c", 0, name="net", status="running"),
    ]
    (paths[1] / "config.yaml").write_text("loop: {epochs: 3}\noptimizer: {learning_rate: 0.5}\n")
    return [read_run(path, NOW, verify=False) for path in paths]


def test_what_differs_is_in_the_table_the_best_first(tmp_path) -> None:
    found = compare_runs(records(tmp_path))
    rows = [dict(zip(found.headers, row.cells, strict=True)) for row in found.rows]
    assert [row["run"] for row in rows] == ["b", "a", "c"]
    assert [row["learning_rate"] for row in rows] == ["0.5", "0.1", "0.1"]
    assert [row["status"] for row in rows] == ["failed", "finished", "killed"]
    assert [row["best"] for row in rows] == ["val_loss 0.375", "val_loss 0.75", ""]
    assert [row["python"] for row in rows] == ["3.12.1", "3.11.7", "3.11.7"]
    assert "epochs" not in found.headers
    assert found.rows[0].label == "b, learning_rate 0.5"


def test_runs_are_named_by_what_tells_them_apart(tmp_path) -> None:
    assert labels_of(records(tmp_path)) == ["a", "b", "c"]
    one, other = (write_run(tmp_path / name / "same", name=name) for name in ("x", "y"))
    assert labels_of([read_run(path, NOW, verify=False) for path in (one, other)]) == ["x", "y"]
