"""Forms of callbacks in a config, right and wrong, by tables."""

from __future__ import annotations

import pytest

from trainer.config.callback_forms import check_callback_nodes, check_choice_of_callbacks, dropped_by_choice
from trainer.errors import RequestError

STOPPING = {"_target_": "callbacks.early_stopping.EarlyStopping", "patience": 3}

RIGHT = [{}, {"early_stopping": STOPPING}, {"mine": {"_target_": "a.B", "inner": {"_target_": "a.C"}}}]

# Callbacks as composed, and what of the answer shows the right form.
WRONG = [
    (None, "'~callbacks.NAME'"),
    (STOPPING, "early_stopping:\n    _target_: callbacks.early_stopping.EarlyStopping"),
    ({**STOPPING, "checkpoint": {"_target_": "a.B"}}, "+callbacks=FILE"),
    ({"x": {"early_stopping": STOPPING}}, "+callbacks=early_stopping"),
    ({"early_stopping": {"early_stopping": STOPPING}}, "- override /callbacks: [default, early_stopping]"),
    ({"early_stopping": {"patience": 3}}, "callbacks.early_stopping has no _target_, but the settings patience"),
    ({"freeze": {}}, "callbacks.freeze has no _target_, but nothing in it"),
]


@pytest.mark.parametrize("callbacks", RIGHT, ids=str)
def test_a_node_under_its_own_key_is_right(callbacks) -> None:
    check_callback_nodes(callbacks)


@pytest.mark.parametrize(("callbacks", "answer"), WRONG, ids=lambda value: str(value)[:50])
def test_another_form_is_answered_with_the_right_one(callbacks, answer) -> None:
    with pytest.raises(RequestError) as caught:
        check_callback_nodes(callbacks)
    assert answer in str(caught.value)
    assert len(str(caught.value).splitlines()) < 5


ONE = {"x": {"_target_": "a.B"}}
TWO = {**ONE, "y": {"_target_": "a.C"}}

# The choice, the callbacks that it gives, those without it, and whether it is refused.
CHOICES = [
    (None, ONE, ["checkpoint"], False),
    ("default", TWO, ["x", "y"], False),
    ("x", ONE, ["checkpoint"], True),
    ("x", {**ONE, "checkpoint": {"every_n_epochs": 3}}, ["checkpoint"], True),
    ("mine", TWO, ["checkpoint"], False),
    ("x", ONE, ["x"], False),
]


@pytest.mark.parametrize(("choice", "callbacks", "before", "refused"), CHOICES)
def test_one_callback_in_place_of_all_is_refused(choice, callbacks, before, refused) -> None:
    if not refused:
        check_choice_of_callbacks(choice, callbacks, before)
        return
    with pytest.raises(RequestError, match=r"callbacks=x leaves out checkpoint; .*\+callbacks=x.*'callbacks=\[x\]'"):
        check_choice_of_callbacks(choice, callbacks, before)


def test_what_a_choice_drops() -> None:
    assert dropped_by_choice(["x", "y"], TWO) == []
    assert dropped_by_choice(["x", "z"], {**ONE, "z": {"patience": 3}}) == ["z"]
