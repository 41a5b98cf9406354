"""Runs chosen and ordered."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tests.cli.runs.making import LOSSES, make_run
from trainer.cli.runs.listing import RunList
from trainer.cli.runs.selection import ABSENT, Lookup, check_condition, holds, ordered, selected
from trainer.errors import RequestError

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture
def rows(tmp_path):
    for i, rate in enumerate((0.1, 0.01, 0.5)):
        config = {"optimizer": {"learning_rate": rate}, "loop": {"compile": "xla"}, "seed": None}
        losses = [{**each, "loss": each["loss"] + i} for each in LOSSES]
        make_run(tmp_path / f"n{i}/1", config, losses, epoch=i + 5, status=("finished", "failed", "finished")[i])
    make_run(tmp_path / "bare/1", started=None, metrics=None, epoch=None)
    return RunList(tmp_path).rows()


def names(rows) -> list[str]:
    return [row.name for row in rows]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, ["bare", "n0", "n1", "n2"]),
        ({"statuses": ["failed"]}, ["n1"]),
        ({"statuses": ["failed", "finished"], "names": ["n*"]}, ["n0", "n1", "n2"]),
        ({"names": ["bare", "n2"]}, ["bare", "n2"]),
        ({"where": ["optimizer.learning_rate=0.1"]}, ["n0"]),
        ({"where": ["optimizer.learning_rate = 1e-1"]}, ["n0"]),
        ({"where": ["optimizer.learning_rate>0.05", "optimizer.learning_rate<=0.1"]}, ["n0"]),
        ({"where": ["optimizer.learning_rate!=0.1"]}, ["bare", "n1", "n2"]),
        ({"where": ["loop.compile=xla", "loss>=2.5"]}, ["n2"]),
        ({"where": ["val_accuracy>0.7", "epoch<6"]}, ["n0"]),
        ({"where": ["seed=null"]}, ["n0", "n1", "n2"]),
        ({"where": ["loop.compile=off"]}, []),
    ],
)
def test_conditions_choose_runs(rows, chosen, found) -> None:
    settings = {"statuses": [], "names": [], "where": [], **chosen}
    assert names(selected(rows, Lookup(NOW), **settings)) == found


@pytest.mark.parametrize(
    ("key", "reverse", "found"),
    [
        ("name", False, ["bare", "n0", "n1", "n2"]),
        ("epoch", True, ["n2", "n1", "n0", "bare"]),
        ("best", False, ["n0", "n1", "n2", "bare"]),
        ("loss", True, ["n2", "n1", "n0", "bare"]),
        ("optimizer.learning_rate", False, ["n1", "n0", "n2", "bare"]),
        ("status", False, ["n1", "bare", "n0", "n2"]),
    ],
)
def test_any_key_orders_runs_and_those_without_it_come_last(rows, key, reverse, found) -> None:
    assert names(ordered(rows, Lookup(NOW), key, reverse=reverse)) == found


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("los", "did you mean loss?"),
        ("bst", "did you mean best?"),
        ("optimizer.learning_rat", "optimizer.learning_rate?"),
    ],
)
def test_a_key_that_no_run_has_gets_close_matches(rows, key, answer) -> None:
    with pytest.raises(RequestError, match=r"^--sort .* no run has") as caught:
        ordered(rows, Lookup(NOW), key)
    assert answer in str(caught.value)
    with pytest.raises(RequestError, match=r"^--where"):
        selected(rows, Lookup(NOW), statuses=[], names=[], where=[f"{key}=1"])
    assert ordered([], Lookup(NOW), key) == []


@pytest.mark.parametrize("text", ["", "loss", "=1", "> 3"])
def test_what_is_no_condition_is_refused(text) -> None:
    with pytest.raises(RequestError, match="must be KEY=VALUE"):
        check_condition(text)


@pytest.mark.parametrize(
    ("value", "comparison", "wanted", "does"),
    [
        (True, "=", "true", True),
        (True, "=", "1", False),
        ([64, 10], "=", "[64, 10]", True),
        ("0.10", "=", "0.1", True),
        ("a=b", "=", "a=b", True),
        ("x", "=", "{", False),
        (None, ">", "0", False),
        (ABSENT, "=", "null", False),
        (float("nan"), "<", "1", False),
    ],
)
def test_values_are_compared_as_what_they_are(value, comparison, wanted, does) -> None:
    assert holds(value, comparison, wanted) is does
