"""``scripts/report``: which runs, which file, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.processes import python
from tests.report.runs_on_disk import write_run
from trainer.cli.report import main
from trainer.report import write


@pytest.fixture
def report(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_the_report_of_a_run_is_in_its_directory(report, tmp_path) -> None:
    run = write_run(tmp_path / "run")
    code, text = report(run, "--json")
    assert code == 0
    found = json.loads(text)
    assert found["html"] == str(run / "report.html")
    assert found["runs"][0] | {"artefacts": []} == {
        "directory": str(run),
        "name": "net",
        "status": "finished",
        "reason": "",
        "epoch": 3,
        "total_epochs": 3,
        "seconds": 8.0,
        "steps_per_sec": 123.4,
        "best": {"metric": "val_loss", "value": 0.5, "epoch": 3.0, "checkpoint": None},
        "artefacts": [],
    }


@pytest.mark.parametrize("form", ["root", "several", "named"])
def test_several_runs_are_one_report(report, tmp_path, form) -> None:
    runs = [write_run(tmp_path / "root" / name / "1") for name in ("a", "b")]
    arguments = {"root": ["root"], "several": runs, "named": ["root", "-o", "both.html"]}[form]
    place = {"root": "root/report", "several": "report", "named": "both"}[form]
    code, text = report(*arguments)
    assert code == 0, text
    assert text.splitlines()[0] == "2 runs"
    assert (tmp_path / f"{place}.html").is_file()
    assert (tmp_path / f"{place}.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "there is no directory rum; did you mean run?"),
        (["empty"], "empty holds no run"),
        (["run", "-o", "x.txt"], "--output (x.txt) must end in .html"),
        (["run", "-o", "none/x.html"], "there is no directory none"),
        (["run", "-o", "empty.html"], "empty.html is a directory"),
        (["run", "--sise"], "takes no --sise; did you mean --sizes?"),
    ],
)
def test_refused(report, tmp_path, arguments, message) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.html").mkdir()
    code, text = report(*arguments)
    assert (code, message in text) == (2, True), text


def test_a_missing_package_is_named(report, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(write, "PACKAGES", ("no_such_package",))
    code, text = report(write_run(tmp_path / "run"))
    assert (code, "pip install 'graph-trainer[report]'" in text) == (2, True)


def test_it_runs_without_tensorflow_and_help_without_matplotlib(tmp_path, no_tensorflow) -> None:
    write_run(tmp_path / "run")
    done = python("-m", "trainer", "report", "run", cwd=tmp_path, **no_tensorflow)
    assert done.returncode == 0, done.stderr
    code = (
        "import sys\nfrom trainer.cli.report import main\n"
        "try: main(['--help'])\nfinally: sys.stderr.write(str({'matplotlib', 'jinja2'} & {*sys.modules}))"
    )
    assert python("-c", code, cwd=tmp_path).stderr == "set()"
