"""Keys that nothing reads, by tables."""

from __future__ import annotations

import pytest

from trainer.config.schema import TOP_KEYS
from trainer.config.unread_keys import about_unread, check_keys, unread_keys
from trainer.errors import RequestError

KNOWN = [
    "loop.epochs",
    "loop.steps_per_epoch",
    "run.name",
    "optimizer.learning_rate",
    "data.batch_size",
    "seed",
    "loop",
]
GROUPS = ["callbacks", "data", "debug", "trial", "experiment", "model", "optimizer"]
WHOLE = dict.fromkeys(TOP_KEYS)

# A config, and the keys in it that nothing reads.
UNREAD = [
    ({}, []),
    ({"loop": {"epochs": 1}, "model": {"any": 1}, "vars": {"own": {"x": 1}}, "callbacks": {"x": {}}}, []),
    (
        {"loop": {"epoch": 1}, "run": {"nam": "x"}, "warm_start": {"pth": "x"}},
        ["loop.epoch", "run.nam", "warm_start.pth"],
    ),
    ({"foo": 1, "lop": {"epochs": 1}}, ["foo", "lop.epochs"]),
    ({"warm_start": None, "trial": None}, ["trial"]),
]


@pytest.mark.parametrize(("config", "unread"), UNREAD, ids=str)
def test_unread_keys(config, unread) -> None:
    assert list(unread_keys(config)) == unread


# A key, groups of which a file is chosen, and a part of the answer.
ANSWERS = [
    ("loop.epoch", [], "did you mean loop.epochs?"),
    ("epochs", [], "did you mean loop.epochs?"),
    ("lop", [], "did you mean loop?"),
    ("lop.epochs", [], "did you mean loop.epochs?"),
    ("optimiser.learning_rate", [], "did you mean optimizer.learning_rate?"),
    ("run.colour", [], "run has: root, name, dir"),
    ("experiments", [], "there is no group experiments; did you mean +experiment=NAME?"),
    ("modell", [], "did you mean model=NAME?"),
    ("width", [], "under vars: +vars.width=VALUE, for ${vars.width}"),
    ("mine.width", [], "under vars: +vars.mine=VALUE"),
    ("trial", ["trial"], "'# @package _global_'"),
    ("trial.x", ["trial"], "'# @package _global_'"),
    ("experiment.loop.epochs", [], "'# @package _global_'"),
]


@pytest.mark.parametrize(("key", "chosen", "answer"), ANSWERS)
def test_the_answer_names_what_is_meant(key, chosen, answer) -> None:
    assert answer in about_unread(key, KNOWN, GROUPS, chosen)


def test_a_key_that_is_needed_cannot_be_left_out() -> None:
    check_keys(WHOLE)
    for key in ("seed", "loop", "run", "resume"):
        with pytest.raises(RequestError, match=f"{key} cannot be left out"):
            check_keys({name: None for name in WHOLE if name != key})
