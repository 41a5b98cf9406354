"""Errors of the core name an argument; the command line adds the key that a user can paste."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.processes import ROOT
from trainer.config.keys import CONFIG_KEYS, NOT_FINITE, with_key
from trainer.errors import DamagedError, NonFiniteError, RequestError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RequestError("batch_size (9) is too large", argument="batch_size"),
            "batch_size (9) is too large [data.batch_size]",
        ),
        (RequestError("trunk.path: gone", argument="trunk.path"), "trunk.path: gone [model.trunk.path]"),
        (RequestError("set model.trunk.path", argument="trunk.path"), "set model.trunk.path"),
        (RequestError("first\n  second", argument="compile"), "first [loop.compile]\n  second"),
        (RequestError("no", argument="of_no_key"), "no"),
        (RequestError("no"), "no"),
        (ValueError("no"), "no"),
        (
            NonFiniteError("the variable w", "inf", 2000),
            f"the variable w is inf after step 2,000 [{NOT_FINITE}]",
        ),
        (DamagedError("bits", argument="path"), "bits [data.examples.path]"),
        (
            RequestError("callbacks.freeze: no 'opp'", argument="callbacks.freeze.outputs"),
            "callbacks.freeze: no 'opp' [callbacks.freeze.outputs]",
        ),
        (
            RequestError("callbacks.freeze: a table", argument="callbacks.freeze"),
            "callbacks.freeze: a table [~callbacks.freeze leaves it out]",
        ),
    ],
)
def test_hints(error, message) -> None:
    assert with_key(error) == message


def keys(node: Any, prefix: str) -> set[str]:
    """Returns the dotted keys of a node."""
    if not isinstance(node, dict):
        return set()
    return {f"{prefix}{key}" for key in node} | {
        key for name, child in node.items() for key in keys(child, f"{prefix}{name}.")
    }


def test_each_key_is_one_of_the_shipped_config() -> None:
    there = keys(yaml.safe_load((ROOT / "conf/train.yaml").read_text()), "")
    for group in ("model", "data", "optimizer", "callbacks"):
        for file in (ROOT / "conf" / group).glob("*.yaml"):
            there |= keys(yaml.safe_load(file.read_text()), f"{group}.")
    assert {*CONFIG_KEYS.values(), *re.findall(r"\w+(?:\.\w+)+", NOT_FINITE)} - there == set()
