"""Which run a directory means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.errors import RequestError
from trainer.runs.directory import RunDirectory, resolve_run


def make_run(path: Path, started: str, *, with_file: bool = True) -> None:
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"started": started}))
    if with_file:
        (path / "wanted").touch()


def has(run: RunDirectory) -> bool:
    return (run.path / "wanted").exists()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_run(tmp_path / "one/linear/b", "2026-01-02")
    make_run(tmp_path / "one/linear/a", "2026-01-03")
    make_run(tmp_path / "one/linear/c", "2026-01-04", with_file=False)
    make_run(tmp_path / "one/digits/d", "2026-01-05", with_file=False)
    make_run(tmp_path / "two/linear/e", "2026-01-06")
    make_run(tmp_path / "two/digits/f", "2026-01-07")
    (tmp_path / "one/sweeps/2026").mkdir(parents=True)
    (tmp_path / "one/note").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "run"),
    [
        ("one/linear/b", "one/linear/b"),
        ("one/linear/c", "one/linear/c"),
        ("one/linear", "one/linear/a"),
        ("one/digits", None),
        ("one", "one/linear/a"),
        ("one/sweeps", None),
        ("one/sweeps/2026", None),
        ("two/digits", "two/digits/f"),
    ],
)
def test_the_run_that_is_meant(path, run, root) -> None:
    found = resolve_run(root / path, has)
    assert (found and found.path) == (run and root / run)


def test_runs_of_several_names_are_listed(root) -> None:
    with pytest.raises(RequestError, match=r"two holds runs of several names: digits, linear; name one, .*two/d"):
        resolve_run(root / "two", has)
