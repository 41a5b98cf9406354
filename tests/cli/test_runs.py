"""``scripts/runs`` as a whole: help, answers, what a wrong request is told, and the table that is drawn again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.cli.runs.making import LOSSES, make_run
from tests.processes import ROOT, python
from trainer.cli.runs import main
from trainer.cli.sweeps import Outcome, add_to_summary


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, status in (("linear/1", "finished"), ("linear/2", "failed"), ("digits/1", "running")):
        config = {"seed": int(name[-1])}
        make_run(tmp_path / "outputs" / name, config, LOSSES, status=status, started=f"2026-01-0{name[-1]}T00:00:00")
    return tmp_path / "outputs"


def test_help_and_a_list_need_no_tensorflow(no_tensorflow, outputs) -> None:
    for args in (["--help"], []):
        done = python("-m", "trainer.cli.runs", *args, cwd=outputs.parent, ours=False, **no_tensorflow)
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == [
        "3 runs: 1 finished, 1 failed, 1 killed",
        "best: lowest loss in metrics.jsonl",
    ]


def test_the_newest_comes_first_and_flags_choose(outputs, capsys) -> None:
    assert main(["--json", "--status", "failed", "--status", "finished", "--where", "seed>0"]) == 0
    assert [each["path"] for each in json.loads(capsys.readouterr().out)] == ["outputs/linear/2", "outputs/linear/1"]
    assert main(["--json", "--sort", "val_accuracy", "--name", "dig*", str(outputs)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["status"], found["val_accuracy"], found["best"]["source"]) == ("killed", 0.75, "metrics.jsonl")
    assert main(["--sort", "seed", "outputs/linear/2"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[:2] == ["outputs/linear/2", "failed"]


def test_the_directory_of_a_sweep_has_the_runs_of_its_jobs(outputs, capsys, monkeypatch) -> None:
    for job, name in enumerate(("linear/2", "digits/1", "gone/1")):
        add_to_summary(outputs / "sweeps/1", Outcome((), directory=Path("outputs") / name, job=job), "first")
    add_to_summary(outputs / "sweeps/2", Outcome((), directory=Path("outputs/linear/2")), "second")
    for root, expected in (("sweeps/1", ["digits/1", "linear/2"]), ("sweeps", ["digits/1", "linear/2"])):
        assert main(["--json", f"outputs/{root}", "--sort", "run"]) == 0
        assert [each["path"] for each in json.loads(capsys.readouterr().out)] == [
            f"outputs/{each}" for each in expected
        ]
    assert main(["outputs/sweeps/2"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[:2] == ["outputs/linear/2", "failed"]
    # Seen from elsewhere, or after a move of the whole root.
    outputs.rename(outputs.with_name("moved"))
    monkeypatch.chdir("/")
    assert main(["--json", str(outputs.with_name("moved") / "sweeps/2")]) == 0
    assert [each["path"] for each in json.loads(capsys.readouterr().out)] == [
        str(outputs.with_name("moved") / "linear/2")
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "there is no directory nowhere; name the root of your runs (run.root)"),
        (["--status", "faild"], "--status ('faild') is not known; did you mean failed?"),
        (["--wher", "a=1"], "scripts/runs takes no --wher; did you mean --where"),
        (["--where", "seed"], "--where ('seed') must be KEY=VALUE"),
        (["--where", "sed=1"], "--where (sed): no run has this column, metric or key; there are: "),
        (["--sort", "val_acuracy"], "did you mean val_accuracy?"),
        (["--watch", "--json"], "--watch shows a table; leave out --json"),
        (["--watch", "--every", "0"], "--every (0) must be a finite number greater than 0"),
        (["--every", "x"], "invalid float value: 'x' (scripts/runs --help shows how)"),
        (["s3://bucket"], "is not on this machine"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_mistake_is_one_line(outputs, capsys, args, message) -> None:
    assert main(args) == 2
    out, errors = capsys.readouterr()
    assert (out, errors.count("\n"), message in errors) == ("", 1, True), errors


def test_a_table_is_drawn_again_on_a_terminal_until_control_c(outputs) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 60, 0, 0))
    process = watching(outputs, stdout=follower)
    os.close(follower)
    shown = b""
    while shown.count(b"\x1b[H") < 3:
        shown += os.read(leader, 4096)
    process.send_signal(signal.SIGINT)
    # A process cannot end as long as nobody reads what it has written to a terminal.
    with contextlib.suppress(OSError):
        while os.read(leader, 4096):
            pass
    assert process.wait(30) == 0
    os.close(leader)
    _, first, second, *_ = shown.decode().split("\x1b[H\x1b[J")
    assert first == second
    lines = first.splitlines()
    assert (len(lines) <= 7, all(len(line) <= 60 for line in lines)) == (True, True)
    assert lines[-1] == "and 3 more lines"


def test_a_table_is_plain_elsewhere_and_ends_with_its_reader(outputs) -> None:
    process = watching(outputs, stdout=subprocess.PIPE)
    assert process.stdout is not None
    text = ""
    while text.count("3 runs") < 2:
        text += process.stdout.readline()
    assert "\x1b" not in text
    process.stdout.close()
    assert process.wait(30) == 0


def watching(outputs: Path, stdout: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trainer", "runs", "--watch", "--every", "0.05"]
    sizes = ("COLUMNS", "LINES")  # which stand for the size of a terminal
    environment = {name: value for name, value in os.environ.items() if name not in sizes}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen(
        command, cwd=outputs.parent, env=environment, stdout=stdout, stderr=subprocess.DEVNULL, text=True
    )


def test_a_run_that_sigkill_ends_is_killed_and_one_that_goes_on_is_running(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "trainer", "+experiment=linear", "loop.epochs=1000000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def row():
        capsys.readouterr()
        assert main(["--json", "."]) == 0
        return next(iter(json.loads(capsys.readouterr().out)), {})

    limit = time.monotonic() + 60
    while not (row().get("epoch") or 0) > 100:
        assert (process.poll(), time.monotonic() < limit) == (None, True)
        time.sleep(0.05)
    assert row()["status"] == "running"
    process.kill()
    process.wait()
    killed = row()
    assert (killed["status"], killed["total_epochs"], killed["overrides"]) == (
        "killed",
        1_000_000,
        ["loop.epochs=1000000"],
    )
    assert json.loads((Path(killed["path"]) / "run.json").read_text())["status"] == "running"
