"""Differences between the config of a run and that of its resume."""

from __future__ import annotations

import pytest

from trainer.config.changes import check_changes, digest
from trainer.errors import RequestError

OLD = {"seed": 0, "loop": {"epochs": 3}, "model": {"_target_": "a.B", "sizes": [64, 10]}}


@pytest.mark.parametrize(
    "new", [{}, {"vars": {}}, {"vars": {"size": 64}}, {"loop": {"epochs": 5}}, {"run": {"root": "x"}}], ids=str
)
def test_what_changes_no_bit_is_accepted(new) -> None:
    accepted = check_changes(OLD, {**OLD, **new}, allow=False)
    assert [str(each) for each in accepted] == (["loop.epochs: 3 -> 5"] if "loop" in new else [])
    assert digest({**OLD, **new}) == digest(OLD)


def test_what_a_value_of_the_user_s_own_changes_is_refused_by_the_key_that_reads_it() -> None:
    new = {**OLD, "vars": {"size": 8}, "model": {"_target_": "a.B", "sizes": [8, 10]}}
    with pytest.raises(RequestError) as caught:
        check_changes({**OLD, "vars": {"size": 64}}, new, allow=False)
    assert "model.sizes: [64, 10] -> [8, 10]" in str(caught.value)
    assert "vars" not in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "hint"),
    [
        ({"loop": {"epochs": 3, "epoch": 1}}, "(there is no key loop.epoch; did you mean loop.epochs?)"),
        ({"size": 64}, "(nothing reads the key size; values of your own go under vars: +vars.size=VALUE"),
    ],
)
def test_a_stored_key_that_nothing_reads_is_named_and_may_be_dropped(stored, hint) -> None:
    with pytest.raises(RequestError) as caught:
        check_changes({**OLD, **stored}, OLD, allow=False)
    assert hint in str(caught.value)
    assert "resume_changes=allow" in str(caught.value)
    assert len(check_changes({**OLD, **stored}, OLD, allow=True)) == 1
