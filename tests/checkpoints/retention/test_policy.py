"""Which checkpoints are kept: a table and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.policy import Retention, kept


def record(step: int, loss: float | None = 1.0, hours: float = 0.0) -> CommitRecord:
    return CommitRecord(f"model-{step}", step, step, step, {"loss": loss}, {}, True, hours * 3600, "")


TABLE = [
    ("newest", [record(i) for i in range(1, 6)], Retention(max_to_keep=2), {4, 5}),
    ("all (0)", [record(i) for i in range(1, 9)], Retention(max_to_keep=0), set(range(1, 9))),
    ("all (None)", [record(i) for i in range(1, 9)], Retention(max_to_keep=None), set(range(1, 9))),
    ("one", [record(1), record(2)], Retention(max_to_keep=1), {2}),
    (
        "best besides",
        [record(1, 0.1), record(2, 0.9), record(3, 0.5)],
        Retention(max_to_keep=1, keep_best=1),
        {1, 3},
    ),
    (
        "greatest is best",
        [record(1, 0.9), record(2, 0.1), record(3, 0.5)],
        Retention(max_to_keep=1, keep_best=1, mode="max"),
        {1, 3},
    ),
    ("what is not finite is never best", [record(1, None), record(2)], Retention(max_to_keep=1, keep_best=1), {2}),
    ("pinned", [record(1), record(2), record(3)], Retention(max_to_keep=1, pinned=(1,)), {1, 3}),
    (
        "the first of each two hours",
        [record(i, hours=i) for i in range(1, 8)],
        Retention(max_to_keep=1, keep_checkpoint_every_n_hours=2),
        {2, 4, 6, 7},
    ),
]


@pytest.mark.parametrize(("records", "policy", "steps"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(records, policy, steps) -> None:
    assert kept(records, policy) == {f"model-{step}" for step in steps}


policies = st.builds(
    Retention,
    max_to_keep=st.integers(0, 5) | st.none(),
    keep_checkpoint_every_n_hours=st.none() | st.sampled_from([0.5, 1.0, 2.5]),
    keep_best=st.integers(0, 3),
    mode=st.sampled_from(["min", "max"]),
)
histories = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


def _records(history: list[tuple[float, float]]) -> list[CommitRecord]:
    hours, records = 0.0, []
    for step, (loss, secs) in enumerate(history, 1):
        hours += secs
        records.append(record(step, loss, hours))
    return records


@given(histories, policies)
def test_the_newest_always_stays_and_enough_of_them(history, policy) -> None:
    records = _records(history)
    stay = kept(records, policy)
    assert records[-1].name in stay
    assert len(stay) >= min(len(records), policy.max_to_keep or len(records))
    assert stay <= {each.name for each in records}


@given(histories, policies)
def test_rotating_after_each_save_keeps_what_rotating_once_would(history, policy) -> None:
    """No memory is needed: restarts, and a process that never rotated, make no difference."""
    there: list[CommitRecord] = []
    for each in _records(history):
        there.append(each)
        stay = kept(there, policy)
        there = [one for one in there if one.name in stay]
        assert kept(there, policy) == stay
    once = kept(_records(history), policy)
    if not policy.keep_best:
        assert {each.name for each in there} == once


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_to_keep": -1}, ValueError),
        ({"max_to_keep": 2.0}, TypeError),
        ({"keep_checkpoint_every_n_hours": 0}, ValueError),
        ({"keep_best": -1}, ValueError),
        ({"mode": "most"}, ValueError),
        ({"pinned": ["model-1"]}, TypeError),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(arguments, error) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        Retention(**arguments)
