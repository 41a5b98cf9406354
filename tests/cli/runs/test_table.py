"""The table of runs at any width."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.cli.runs.listing import Best, RunRow
from trainer.cli.runs.table import cut, table_of

NOW = datetime(2026, 1, 1, 1, tzinfo=timezone.utc)
ROOT = Path("outputs")


def made(name: str = "linear/2026-11-23_14-07-00", **values) -> RunRow:
    usual = {
        "epoch": 20,
        "total_epochs": 300,
        "best": Best("loss", 0.009832, "min", "metrics.jsonl"),
        "started": "2026-01-01T00:00:00+00:00",
        "steps_per_sec": 24081.3,
        "size": 121_900,
        "overrides": ("loop.epochs=20", "optimizer.learning_rate=0.1"),
    }
    return RunRow(**{"path": ROOT / name, "name": "linear", "status": "finished", **usual, **values})


ROWS = [made(), made("x/1", overrides=("loop.epochs=20", "optimizer.learning_rate=0.01"), best=None, started=None)]


def test_a_wide_table_has_all() -> None:
    assert table_of(ROWS, ROOT, NOW, None, {"val_loss": [0.5, None]}).splitlines() == [
        "run                         status     epoch           best  val_loss     age      rate      size  overridden",
        "--------------------------  --------  ------  -------------  --------  ------  --------  --------  "
        "-------------------------------------------",
        "linear/2026-11-23_14-07-00  finished  20/300  loss 0.009832       0.5  60 min  24,081/s  121.9 kB  "
        "optimizer.learning_rate=0.1 loop.epochs=20",
        "x/1                         finished  20/300                                   24,081/s  121.9 kB  "
        "optimizer.learning_rate=0.01 loop.epochs=20",
        "",
        "2 runs: 2 finished",
        "best: lowest loss in metrics.jsonl",
    ]


def test_a_narrow_one_leaves_out_columns_and_cuts_the_overrides() -> None:
    assert table_of(ROWS, ROOT, NOW, 80, {}).splitlines()[:4] == [
        "run                         status     epoch      best  overridden",
        "--------------------------  --------  ------  --------  ------------------------",
        "linear/2026-11-23_14-07-00  finished  20/300  0.009832  learning_rate=0.1 epoch…",
        "x/1                         finished  20/300            learning_rate=0.01 epoc…",
    ]


def test_two_metrics_keep_their_names_in_a_narrow_one() -> None:
    other = made("y/1", best=Best("val_accuracy", 0.98, "max", "metrics.jsonl"))
    text = table_of([*ROWS, other], ROOT, NOW, 80, {})
    assert ("loss 0.009832" in text, "val_accuracy 0.98" in text) == (True, True)


@given(st.integers(1, 200), st.lists(st.text("ab=.…", max_size=300), max_size=3))
def test_no_line_is_wider_than_the_terminal(width, overrides) -> None:
    rows = [*ROWS, made("a" * len(overrides) * 30, overrides=tuple(overrides), status="unknown", note="a" * 90)]
    assert all(len(line) <= width for line in table_of(rows, ROOT, NOW, width, {}).splitlines())


@pytest.mark.parametrize(("root", "name"), [("outputs", "linear/2026-11-23_14-07-00"), ("outputs/x", "outputs/x")])
def test_a_run_that_is_the_root_keeps_its_name(root, name) -> None:
    row = made("x") if root == "outputs/x" else made()
    assert table_of([row], Path(root), NOW, None, {}).splitlines()[2].startswith(f"{name}  ")


def test_nothing_is_said_of_nothing() -> None:
    assert table_of([], ROOT, NOW, 80, {}) == "no runs in outputs"


def test_notes_say_why() -> None:
    row = made("x", note="it has no run.json", epoch=None, total_epochs=None)
    assert table_of([row], ROOT, NOW, None, {}).splitlines()[-1] == "outputs/x: it has no run.json"


@given(st.text(), st.integers(1, 20))
def test_a_cut_is_never_longer(text, width) -> None:
    assert len(cut(text, width)) <= width
    assert cut(text, len(text)) == text
