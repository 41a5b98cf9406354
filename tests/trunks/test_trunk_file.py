"""The frozen graph that a path means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.errors import RequestError
from trainer.trunks.trunk_file import find_pb


def make_run(path: Path, started: str, *names: str) -> None:
    (path / "export/frozen").mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"started": started}))
    for name in names:
        (path / "export/frozen" / name).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_run(tmp_path / "one/linear/a", "2026-01-01", "model.pb")
    make_run(tmp_path / "one/linear/b", "2026-01-02", "model.pb")
    make_run(tmp_path / "one/linear/c", "2026-01-03")
    make_run(tmp_path / "two/linear/d", "2026-01-01", "last.pb", "best.pb")
    make_run(tmp_path / "two/digits/e", "2026-01-01", "model.pb")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("one/linear/a/export/frozen/model.pb", "one/linear/a"),
        ("one/linear/a", "one/linear/a"),
        ("one/linear", "one/linear/b"),
        ("one", "one/linear/b"),
        ("two/digits", "two/digits/e"),
    ],
)
def test_what_a_path_means(path, file, root) -> None:
    assert find_pb(root / path) == root / file / "export/frozen/model.pb"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("one/linear/c", "has no run with a frozen graph"),
        ("two/linear", "holds best.pb, last.pb; name one of them"),
        ("two", "trunk.path: .* holds runs of several names: digits, linear; name one"),
        ("one/linaer", "there is no .*linaer; did you mean linear"),
    ],
)
def test_what_is_not_there(path, message, root) -> None:
    with pytest.raises(RequestError, match=message):
        find_pb(root / path)
