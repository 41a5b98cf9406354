"""Runs found below a directory, whole and damaged, and what is said of them."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.cli.runs.making import LOSSES, make_run
from trainer.cli.runs.listing import Best, RunList, RunRow, bytes_below, counted, find_runs, overrides_of, status_of
from trainer.runs.history import HistoryEntry
from trainer.runs.lock import LockView, RunLock
from trainer.runs.run_info import RunInfo

FREE, HELD, LEFT = LockView("free"), LockView("held", "process 7 on here"), LockView("left", "process 7 on here")
ELSEWHERE = LockView("elsewhere", "process 7 on there")

STATES = [
    ("running", HELD, "running"),
    ("running", FREE, "killed"),
    ("running", LEFT, "killed"),
    ("running", ELSEWHERE, "elsewhere"),
    ("finished", FREE, "finished"),
    ("finished", LEFT, "finished"),
    ("finished", HELD, "running"),
    ("finished", ELSEWHERE, "finished"),
    ("failed", FREE, "failed"),
    ("interrupted", FREE, "interrupted"),
    ("", HELD, "running"),
    ("", FREE, "unknown"),
    ("", ELSEWHERE, "elsewhere"),
    ("paused", FREE, "unknown"),
]


@pytest.mark.parametrize(("stored", "lock", "status"), STATES, ids=lambda value: getattr(value, "state", value))
def test_states_are_told_apart(stored, lock, status) -> None:
    found, note = status_of(stored, lock)
    assert found == status
    assert bool(note) is (status in ("elsewhere", "unknown"))


def row(path: Path) -> RunRow:
    (found,) = RunList(path).rows()
    return found


def test_a_run_is_shown_with_what_is_known(tmp_path) -> None:
    command = "python -m trainer --config-dir=conf +experiment=x optimizer.learning_rate=0.1 run.name=x resume=auto"
    make_run(tmp_path / "x/1", rows=LOSSES, command=command)
    found = row(tmp_path)
    assert (found.name, found.status, found.epoch, found.total_epochs) == ("x", "finished", 3, 3)
    assert found.best == Best("loss", 0.25, "min", "metrics.jsonl")
    assert found.metrics == {"loss": 0.5, "val_accuracy": 0.75}
    assert found.overrides == ("optimizer.learning_rate=0.1",)
    assert found.age_secs(datetime(2026, 1, 1, 0, 1, tzinfo=timezone.utc)) == 60
    assert found.steps_per_sec == 12.5


def test_the_best_is_by_what_the_saver_monitors(tmp_path) -> None:
    saver = {"prefix": "model", "monitor": "val_accuracy", "mode": "max", "pinned": [], "keep_best": 1}
    make_run(tmp_path / "x/1", rows=LOSSES, savers=[{**saver, "all_variables": True}])
    assert row(tmp_path).best == Best("val_accuracy", 0.75, "max", "metrics.jsonl")


def test_without_a_file_of_metrics_the_commit_records_say_it(copy) -> None:
    with_file = row(copy).best
    (copy / "metrics.jsonl").unlink()
    records = [json.loads(path.read_text())["metrics"]["error"] for path in (copy / "checkpoints").glob("*-*.json")]
    assert row(copy).best == Best("error", max(records), "max", "checkpoints")
    assert with_file == Best("error", max(records), "max", "metrics.jsonl")


def test_without_both_run_json_says_it(tmp_path) -> None:
    make_run(tmp_path / "x/1")
    assert row(tmp_path).best == Best("loss", 0.5, "last", "run.json")
    make_run(tmp_path / "y/1", metrics={"loss": None})
    assert row(tmp_path / "y").best is None


def test_a_run_that_goes_on_is_as_far_as_its_last_line(tmp_path) -> None:
    make_run(tmp_path / "x/1", rows=[{"epoch": 7, "loss": 1.0, "steps_per_sec": 99.0}], status="running", epoch=5)
    listing = RunList(tmp_path)
    assert [(each.status, each.epoch, each.steps_per_sec) for each in listing.rows()] == [("killed", 7, 99.0)]
    with RunLock(tmp_path / "x/1/run.lock"), (tmp_path / "x/1/metrics.jsonl").open("a") as file:
        file.write('{"epoch": 8, "loss": 0.5, "steps_per_sec": 98.0}\n')
        file.flush()
        assert [(each.status, each.epoch) for each in listing.rows()] == [("running", 8)]


def test_runs_are_found_wherever_they_are(tmp_path) -> None:
    for name in ("linear/1", "linear/2", "mine", "sweeps/2026/0", "a/b/c/d", "mine/inner"):
        make_run(tmp_path / name)
    for name in (".hidden/1", "mine/checkpoints/copy", "mine/export/copy"):
        make_run(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "linear")
    (tmp_path / "sweeps/2026/summary.json").write_text("{}")
    found = [str(path.relative_to(tmp_path)) for path in find_runs(tmp_path)]
    assert found == ["a/b/c/d", "linear/1", "linear/2", "mine", "mine/inner", "sweeps/2026/0"]
    assert list(find_runs(tmp_path / "mine/inner")) == [tmp_path / "mine/inner"]
    assert list(find_runs(tmp_path / "nowhere")) == []


def half_empty(path: Path, case: str) -> None:
    path.mkdir(parents=True)
    files = {
        "cut off": {"run.json": '{"status": "fini'},
        "empty": {"run.json": ""},
        "list": {"run.json": "[]"},
        "bytes": {"run.json": "\udcff\udcfe"},
        "types": {"run.json": '{"status": 3, "epoch": "x", "savers": [1], "metrics": {"loss": "low"}, "command": 1}'},
        "quote": {"run.json": '{"status": "failed", "command": "x \'y", "started": "yesterday"}'},
        "no run.json": {"metrics.jsonl": '{"epoch": 2}\n\x00'},
        "lock alone": {"run.lock": "{"},
        "records": {"run.json": "{}", "checkpoints/model-1.json": "{}", "checkpoints/model-2.json": "x"},
    }[case]
    for name, text in files.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, errors="surrogateescape")


CASES = ["cut off", "empty", "list", "bytes", "types", "quote", "no run.json", "lock alone", "records"]


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_run_is_a_row(tmp_path, case) -> None:
    half_empty(tmp_path / "x/1", case)
    found = row(tmp_path)
    assert found.status in ("unknown", "failed")
    assert (found.status == "unknown") is bool(found.note)
    assert found.best is None


def test_a_run_cut_anywhere_is_a_row(copy) -> None:
    """Any prefix of any of its text files, as a full disk leaves them without us."""
    choose = random.Random(1)
    files = sorted(path for path in copy.rglob("*") if path.suffix in (".json", ".jsonl", ".yaml"))
    for path in files:
        whole = path.read_bytes()
        for _ in range(5):
            path.write_bytes(whole[: choose.randrange(len(whole))])
            assert row(copy).path == copy
        path.write_bytes(whole)


def test_a_file_with_two_names_counts_once(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/d").write_bytes(b"x" * 10)
    assert bytes_below(tmp_path) == 1010


def test_overrides_are_those_of_the_command() -> None:
    assert overrides_of(RunInfo()) == ()
    command = (
        "graph-trainer '--config-dir=my conf' +experiment=a ++data.batch_size=3 'trainable=[head/*]' hydra.verbose=1"
    )
    assert overrides_of(RunInfo(command=command)) == ("++data.batch_size=3", "trainable=[head/*]")


def test_overrides_are_those_of_the_newest_process_of_a_history() -> None:
    entries = [HistoryEntry("1", overrides=("seed=1",)), HistoryEntry("2", overrides=("+experiment=a", "seed=2"))]
    assert overrides_of(RunInfo(command="python -m trainer seed=3", history=tuple(entries))) == ("seed=2",)


def test_runs_are_counted_by_status() -> None:
    one = RunRow(Path("a"), "a", "running")
    assert counted([]) == "0 runs"
    assert counted([one]) == "1 run: 1 running"
    assert counted([one, replace(one, status="killed"), one]) == "3 runs: 2 running, 1 killed"
