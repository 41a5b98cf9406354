"""A run read from its directory, whatever is left of it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import datetime, timezone

import pytest

from tests.report.runs_on_disk import DAMAGE, damaged_run, write_run
from trainer.report.charts import charts_of, charts_of_runs
from trainer.report.comparison import compare_runs
from trainer.report.marks import spread
from trainer.report.run_record import read_run

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(("name", "content"), DAMAGE)
def test_nothing_that_is_left_is_an_error(tmp_path, name, content) -> None:
    found = read_run(damaged_run(tmp_path / "run", name, content), NOW, verify=True)
    other = read_run(write_run(tmp_path / "other"), NOW, verify=True)
    assert len(compare_runs([found, other]).rows) == 2
    assert charts_of(found) or name == "metrics.jsonl"
    assert charts_of_runs([found, other])


def test_a_run_of_this_version_is_read_whole(trained) -> None:
    found = read_run(trained, NOW, verify=True)
    assert str(found.status) == "finished"
    assert (found.best.metric, found.best.mode, found.best.checkpoint) == ("error", "max", "model-1")
    assert [mark.epoch for mark in found.marks if mark.kind == "checkpoint"] == [1, 2, 3, 4]
    assert {each.verdict for each in found.artefacts if each.kind != "file"} == {"good"}
    (chart, *_) = charts_of(found)
    assert (chart.title, len(chart.lines)) == ("loss", 1)


def test_resumes_and_rollbacks_are_marked_where_their_steps_are(tmp_path) -> None:
    starts = [{"started": "x", "global_step": step} for step in (0, 15, 20)]
    back = [{"step": 26, "rate_factor": 0.5, "to": "model-2", "reason": "nan"}]
    found = read_run(write_run(tmp_path / "run", history=starts, rollbacks=back), NOW, verify=False)
    marks = [(mark.kind, mark.epoch) for mark in found.marks]
    assert marks == [("resume", 1.5), ("resume", 2.0), ("rollback", 2.5), ("best", 3.0)]
    assert len(spread(range(10_000))) <= 150


def test_a_run_whose_lock_is_held_goes_on_and_one_whose_process_is_gone_was_killed(tmp_path) -> None:
    run = write_run(tmp_path / "run", status="running")
    lock = run / "run.lock"
    assert str(read_run(run, NOW, verify=False).status) == "killed"
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
    assert str(read_run(run, NOW, verify=False).status) == "killed"
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert str(read_run(run, NOW, verify=False).status) == "running"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    assert str(read_run(run, NOW, verify=False).status) == "running"
