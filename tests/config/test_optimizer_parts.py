"""Nodes of several optimizers, refused by key before TensorFlow is imported."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.config.optimizer_parts import SEVERAL, check_parts, is_rate
from trainer.errors import RequestError

PART = {"_target_": "keras.optimizers.Adam", "learning_rate": 0.1, "variables": ["d/*"]}


def node(**changes: Any) -> dict[str, Any]:
    return {"_target_": SEVERAL, "in_turn": None, "parts": {"d": PART, "g": PART}, **changes}


@pytest.mark.parametrize(
    "good",
    [
        node(),
        node(in_turn=["g", "d"]),
        node(parts={"d": {**PART, "loss": "d_loss", "every_n_steps": 3, "learning_rate": {"_target_": "a.B"}}}),
        node(parts={"d": {"_target_": "my.make", "variables": ["*"], "loss": None}}),
    ],
)
def test_good_parts_pass(good) -> None:
    check_parts(good)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (node(learning_rate=0.1), "there is no key optimizer.learning_rate; there are: in_turn, parts"),
        (node(part={}), "there is no key optimizer.part; did you mean parts"),
        (node(parts={}), "must have an optimizer for each part, such as .+optimizer.parts.head="),
        (node(parts=None), "must have an optimizer for each part"),
        (node(parts={"d": "adam"}), r"optimizer.parts.d \('adam'\) must be a node"),
        (node(parts={"d/a": PART}), "optimizer.parts.d/a: 'd/a' must be letters, digits and '_'"),
        (node(parts={"d": {"variables": ["*"]}}), "optimizer.parts.d has no _target_; add optimizer.parts.d._target_="),
        (node(parts={"d": {"_target_": "a.B"}}), r"has no variables; add optimizer.parts.d.variables=\[PATTERN\]"),
        (node(parts={"d": {"_target_": "a.B", "variable": ["*"]}}), "has no variables .did you mean variable"),
        (node(parts={"d": {**PART, "variables": "d/*"}}), r"optimizer.parts.d.variables \('d/\*'\) must be a list"),
        (node(parts={"d": {**PART, "every_n_steps": 0}}), r"every_n_steps \(0\) must be at least 1"),
        (node(parts={"d": {**PART, "every_n_steps": True}}), r"every_n_steps \(True\) must be a whole number"),
        (node(parts={"d": {**PART, "loss": 3}}), r"optimizer.parts.d.loss \(3\) must be the name of a loss, or null"),
        (node(parts={"d": {**PART, "learning_rate": -1}}), r"parts.d.learning_rate \(-1\) must be a finite number"),
        (node(in_turn=["d"]), r"optimizer.in_turn \(d\) must name each part once: d, g; null updates all at once"),
        (node(in_turn=["d", "d"]), "must name each part once"),
        ({"_target_": "keras.optimizers.Adam", "parts": {}}, "optimizer.parts belongs to optimizer=several"),
        (node(in_turn="dg"), "must be a list of names"),
    ],
)
def test_wrong_parts_are_refused_by_key(wrong, message) -> None:
    with pytest.raises((RequestError, TypeError, ValueError), match=message):
        check_parts(wrong)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("optimizer.learning_rate", True),
        ("optimizer.learning_rate.decay_steps", True),
        ("optimizer.parts.d.learning_rate", True),
        ("optimizer.parts.d.learning_rate.initial_learning_rate", True),
        ("fit.optimizer.learning_rate", True),
        ("fit.optimizer.parts.d.optimizer.learning_rate", True),
        ("optimizer.parts.d.loss", False),
        ("optimizer.learning_rates", False),
    ],
)
def test_keys_of_rates(key, expected) -> None:
    assert is_rate(key) == expected
