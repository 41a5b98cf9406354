"""Jobs of a sweep: their table, their files, their numbers, and the same sweep again."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from trainer.cli.sweeps import Outcome, add_to_summary, as_csv, exit_code, read_outcomes, sweep_table
from trainer.errors import Interrupted, NonFiniteError, RequestError

NAN = NonFiniteError("loss", "nan", 3)
WRONG = RequestError("batch_size (99) is too large\nmore", argument="batch_size")
STOPPED = Interrupted(15, "SIGTERM")


@pytest.mark.parametrize(
    ("errors", "code"),
    [([], 0), ([None], 0), ([NAN], 1), ([WRONG], 2), ([None, None], 0), ([None, WRONG], 1), ([NAN, WRONG], 1)],
)
def test_exit_codes(errors, code) -> None:
    assert exit_code([Outcome((), error) for error in errors]) == code


def test_the_failed_jobs_are_told_with_the_keys_to_change(caplog) -> None:
    caplog.set_level(logging.INFO)
    exit_code([Outcome(("seed=1",)), Outcome(("data.batch_size=99",), WRONG), Outcome(("seed=3",), NAN)])
    remedy = "lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback"
    assert caplog.messages == [
        "2 of 3 jobs failed\n"
        "  data.batch_size=99: batch_size (99) is too large [data.batch_size]\n"
        f"  seed=3: loss is nan after step 3 [{remedy}]"
    ]


OUTCOMES = [
    Outcome(("+experiment=a", "seed=1", "x='a,b'"), None, Path("outputs/a/1"), metric="loss", value=0.123456),
    Outcome(("+experiment=a", "seed=2", "x=c"), None, Path("outputs/a/2"), "finished before", "loss", math.nan, 1),
    Outcome(("+experiment=a", "seed=3", "x=c"), NAN, Path("outputs/a/3"), job=2),
    Outcome(("+experiment=a", "seed=4", "~y"), WRONG, job=3),
    Outcome(("+experiment=a", "seed=5"), STOPPED, Path("outputs/a/5"), job=4),
]
STATUSES = ["finished", "finished before", "failed", "refused", "interrupted"]


def test_the_table_has_what_differs() -> None:
    assert [line.rstrip() for line in sweep_table(OUTCOMES).splitlines()] == [
        "job    overrides       status             loss  directory",
        "-----  --------------  ---------------  ------  -----------",
        "0      seed=1 x='a,b'  finished         0.1235  outputs/a/1",
        "1      seed=2 x=c      finished before     nan  outputs/a/2",
        "2      seed=3 x=c      failed                   outputs/a/3",
        "3      seed=4 ~y       refused",
        "4      seed=5          interrupted              outputs/a/5",
    ]


def test_each_metric_has_its_name_where_they_differ() -> None:
    other = Outcome(("experiment=b",), metric="val_loss", value=2.0)
    lines = sweep_table([OUTCOMES[0], other]).splitlines()
    assert ("metric" in lines[0], "loss 0.1235" in lines[2], "val_loss 2" in lines[3]) == (True, True, True)


def test_the_files_hold_all(tmp_path) -> None:
    folder = tmp_path / "sweeps/1"
    for outcome in [*OUTCOMES[2:], OUTCOMES[1], OUTCOMES[0]]:  # as jobs end that run at the same time
        add_to_summary(folder, outcome, "now")
    assert sorted(path.name for path in folder.iterdir()) == ["summary.csv", "summary.json"]
    jobs = json.loads((folder / "summary.json").read_text())["jobs"]
    assert [each["status"] for each in jobs] == STATUSES
    assert [each["job"] for each in jobs] == list(range(5))
    assert (jobs[0]["value"], jobs[1]["value"], jobs[0]["directory"]) == (0.123456, None, "outputs/a/1")
    assert jobs[3]["error"] == "batch_size (99) is too large [data.batch_size]\nmore"
    assert jobs[0]["overrides"] == list(OUTCOMES[0].overrides)
    rows = list(csv.DictReader(io.StringIO((folder / "summary.csv").read_text())))
    assert [row["seed"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert (rows[0]["x"], rows[0]["value"], rows[3]["x"], rows[4]["~y"]) == ("'a,b'", "0.123456", "", "")


def test_what_is_read_back_is_what_was_written(tmp_path) -> None:
    for outcome in OUTCOMES:
        add_to_summary(tmp_path, outcome, "now")
    found = read_outcomes(tmp_path, "now")
    assert [each.status for each in found] == STATUSES
    assert (exit_code(found), exit_code(found[3:4]), exit_code(found[2:3])) == (1, 2, 1)
    assert sweep_table(found[2:]) == sweep_table(OUTCOMES[2:])


def test_the_summary_of_another_sweep_is_replaced(tmp_path) -> None:
    for outcome in OUTCOMES:
        add_to_summary(tmp_path, outcome, "before")
    add_to_summary(tmp_path, OUTCOMES[1], "now")
    assert [each.job for each in read_outcomes(tmp_path)] == [1]
    assert read_outcomes(tmp_path, "before") == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"jobs": 3}', '{"jobs": [{}]}', '{"jobs": ["a"]}', "[" * 9999])
def test_a_damaged_summary_is_none(tmp_path, text) -> None:
    (tmp_path / "summary.json").write_text(text)
    assert read_outcomes(tmp_path) == []
    add_to_summary(tmp_path, OUTCOMES[0], "now")
    assert len(read_outcomes(tmp_path, "now")) == 1


def test_no_job_is_lost_where_many_end_at_once(tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path; from trainer.cli.sweeps import Outcome, add_to_summary\n"
        "for i in range(5): add_to_summary(Path.cwd(), Outcome((f'seed={i}',), job=5 * int(sys.argv[1]) + i), 'now')"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen([*command, str(i)], cwd=tmp_path, env=environment) for i in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert [each.job for each in read_outcomes(tmp_path)] == list(range(20))


def test_a_sweep_without_jobs_has_a_header() -> None:
    assert as_csv([]) == "job,status,metric,value,directory\n"


def test_a_disk_that_refuses_the_summary_stops_no_sweep(tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("")
    add_to_summary(tmp_path / "file/sweep", OUTCOMES[0], "now")
    assert "the summary of the sweep cannot be written to" in caplog.text


COMMON = ("-m", "+experiment=linear", "loop.epochs=3")


def summary(cwd: Path) -> list[dict]:
    newest = max((cwd / "outputs/sweeps").iterdir())
    return json.loads((newest / "summary.json").read_text())["jobs"]


def test_the_same_sweep_again_runs_what_is_missing(trainer, tmp_path) -> None:
    """Finished jobs are skipped, an unfinished one goes on in its directory, and a new one begins."""
    common = (*COMMON, "callbacks.checkpoint.every_n_epochs=1", "run.root=outputs")
    first = trainer(*common, "optimizer.learning_rate=0.1,0.01,1e30")
    assert first.returncode == 1
    before = summary(tmp_path)
    assert [each["status"] for each in before] == ["finished", "finished", "failed"]
    assert before[0]["value"] < 0.02
    for each in ("job", "0", "finished", before[0]["directory"]):
        assert each in first.stdout
    make_unfinished(tmp_path / before[1]["directory"])
    again = trainer(*common, "optimizer.learning_rate=0.01,0.1,0.05", "resume=auto")
    assert again.returncode == 0, again.stderr
    assert f"finished before: {before[0]['directory']}" in again.stdout
    assert "resumed from model-2 (epoch 2, step 200)" in again.stdout
    after = summary(tmp_path)
    assert [each["status"] for each in after] == ["finished", "finished before", "finished"]
    assert [each["directory"] for each in after[:2]] == [before[1]["directory"], before[0]["directory"]]
    assert after[2]["directory"] not in {each["directory"] for each in before}
    # The same bits, whatever was done meanwhile.
    assert (after[0]["value"], after[1]["value"]) == (before[1]["value"], before[0]["value"])
    third = trainer(*common, "optimizer.learning_rate=0.1,0.01,0.05", "resume=auto", "sweep.mode=min")
    assert (third.returncode, third.stdout.count("finished before: ")) == (0, 3)


def make_unfinished(run: Path) -> None:
    """Leaves a run as if it had been killed in its third epoch."""
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "status": "running", "epoch": 2}))
    for path in (run / "checkpoints").glob("model-3.*"):
        path.unlink()


def test_a_number_that_no_job_has_is_refused_before_a_step(trainer, tmp_path) -> None:
    done = trainer(*COMMON, "sweep.metric=los", "seed=1,2")
    assert done.returncode == 1
    assert done.stderr.count("error: sweep.metric ('los') is not known; did you mean loss?") == 2
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["sweeps"]
    assert [(each["status"], each["directory"]) for each in summary(tmp_path)] == [("refused", None)] * 2


def test_a_command_that_is_pasted_gives_the_same_run(bash, tmp_path) -> None:
    """Also of a job of a sweep, with configs of one's own in a directory with a space."""
    experiments = tmp_path / "work/my conf/experiment"
    experiments.mkdir(parents=True)
    body = "defaults:\n  - override /model: linear\n  - override /data: line\nloop: {epochs: 2}\n"
    (experiments / "mine.yaml").write_text(f"# @package _global_\n{body}")
    typed = "+experiment=mine 'trainable=[slope, intercept]' --config-dir 'my conf' -m data.batch_size=16,32"
    done = bash(f"python -m trainer {typed}")
    assert done.returncode == 0, done.stderr
    first = sorted((tmp_path / "work/outputs/mine").iterdir())
    command = json.loads((first[1] / "run.json").read_text())["command"]
    assert "'--config-dir=my conf'" in command
    assert bash(command).returncode == 0
    (pasted,) = set((tmp_path / "work/outputs/mine").iterdir()) - set(first)
    assert losses(pasted) == losses(first[1]) != losses(first[0])
    assert json.loads((pasted / "run.json").read_text())["command"] == command


def test_a_finished_job_without_checkpoints_is_not_run_again(trainer, tmp_path) -> None:
    """Also one that was stopped early: only a checkpoint could tell that something is left to do."""
    without = ("~callbacks.checkpoint", "~callbacks.freeze", "~callbacks.saved_model", "+callbacks=early_stopping")
    stopping = ("callbacks.early_stopping.monitor=loss", "callbacks.early_stopping.min_delta=100")
    typed = (*COMMON, *without, *stopping, "callbacks.early_stopping.patience=1", "seed=1,2", "resume=auto")
    assert trainer(*typed).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs/linear").rglob("*")}
    again = trainer(*typed)
    assert (again.returncode, again.stdout.count("finished before: ")) == (0, 2), again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs/linear").rglob("*")} == before


LAUNCHER = """
import os
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore

class InProcesses(BasicLauncher):
    def launch(self, job_overrides, initial_job_idx):
        for i, overrides in enumerate(job_overrides):
            if os.fork() == 0:
                super().launch([overrides], initial_job_idx + i)
                os._exit(0)
        for _ in job_overrides:
            os.wait()
        return []

node = {"_target_": "hydra_plugins.in_processes.InProcesses"}
ConfigStore.instance().store(group="hydra/launcher", name="processes", node=node, provider="test")
"""
"""Launcher that runs each job in a process of its own, as those of joblib and submitit do."""


def test_a_launcher_of_other_processes_ends_with_the_same_table(trainer, tmp_path) -> None:
    (tmp_path / "plugins/hydra_plugins").mkdir(parents=True)
    (tmp_path / "plugins/hydra_plugins/in_processes.py").write_text(LAUNCHER)
    path = f"{tmp_path / 'plugins'}{os.pathsep}{ROOT}"
    typed = (*COMMON, "hydra/launcher=processes", "data.batch_size=32,9999,64")
    done = trainer(*typed, PYTHONPATH=path)
    assert (done.returncode, "1 of 3 jobs failed" in done.stdout) == (1, True), done.stderr
    assert "data.batch_size=9999: batch_size (9,999) is larger than the data" in done.stdout
    assert [each["status"] for each in summary(tmp_path)] == ["finished", "refused", "finished"]
    assert [each["job"] for each in summary(tmp_path)] == [0, 1, 2]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


STUDY = (
    "hydra/sweeper=optuna",
    "hydra.sweeper.n_jobs=1",
    "hydra.sweeper.sampler.seed=1",
    "optimizer.learning_rate=tag(log,interval(0.001,1.0))",
    "+experiment=digits_mlp",
    "loop.epochs=1",
    "sweep.metric=val_accuracy",
    "hydra.sweeper.direction=maximize",
)


def test_optuna_searches_and_a_study_goes_on(trainer, tmp_path) -> None:
    done = trainer("-m", *STUDY, "hydra.sweeper.n_trials=3", "sweep.mode=max")
    assert done.returncode == 0, done.stderr
    before = summary(tmp_path)
    values = [each["value"] for each in before]
    assert (len(set(values)), [each["metric"] for each in before]) == (3, ["val_accuracy"] * 3)
    assert f"Best value: {max(values)}" in done.stdout
    again = trainer("-m", *STUDY, "hydra.sweeper.n_trials=4", "sweep.mode=max", "resume=auto")
    assert again.returncode == 0, again.stderr
    after = summary(tmp_path)
    assert [each["status"] for each in after] == [*["finished before"] * 3, "finished"]
    assert [each["value"] for each in after[:3]] == values


def test_a_failed_job_does_not_end_a_study(trainer, tmp_path) -> None:
    sweep = ("hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1", "hydra/sweeper/sampler=grid")
    done = trainer(*COMMON, *sweep, "data.batch_size=choice(9999,32,64)")
    assert (done.returncode, "1 of 3 jobs failed" in done.stdout) == (1, True)
    assert sorted(each["status"] for each in summary(tmp_path)) == ["finished", "finished", "refused"]
    none = trainer(*COMMON, *sweep, "data.batch_size=choice(9999,9998)")
    assert (none.returncode, "2 of 2 jobs failed" in none.stdout, "Traceback" in none.stderr) == (1, True, False)


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (["seed=interval(1,2)"], "add hydra/sweeper=optuna (pip install 'graph-trainer[optuna]')"),
        (["hydra/sweeper=optuna", "seed=1,2", "sweep.mode=max"], "set hydra.sweeper.direction=maximize"),
        (["hydra/launcher=joblb", "seed=1,2"], "Hydra has no hydra/launcher=joblb; --info plugins lists"),
        (["sweep.metrc=loss", "seed=1,2"], "did you mean sweep.metric?"),
    ],
)
def test_refused_without_tensorflow_or_a_file(trainer, no_tensorflow, tmp_path, args, answer) -> None:
    done = trainer(*COMMON, *args, **no_tensorflow)
    assert (done.returncode, answer in done.stderr) == (2, True), done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "outputs"] == []


def test_optuna_that_is_missing_is_named(trainer, no_tensorflow, tmp_path) -> None:
    hidden = tmp_path / "hidden/hydra_plugins/hydra_optuna_sweeper"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('no optuna')\n")
    path = f"{tmp_path / 'hidden'}:{no_tensorflow['PYTHONPATH']}"
    done = trainer(*COMMON, "hydra/sweeper=optuna", "seed=1,2", PYTHONPATH=path, PYTHONWARNINGS="ignore")
    assert (done.returncode, "pip install 'graph-trainer[optuna]' adds it" in done.stderr) == (2, True), done.stderr
