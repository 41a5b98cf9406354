"""Schedules: steps, epochs and times at which a callback is due."""

from __future__ import annotations

import pytest

from trainer.schedule import NEVER, Schedule


@pytest.mark.parametrize(
    ("schedule", "global_step", "expected"),
    [
        (Schedule(every_n_steps=10), 0, 10),
        (Schedule(every_n_steps=10), 9, 10),
        (Schedule(every_n_steps=10), 10, 20),
        (Schedule(every_n_epochs=2), 0, 200),
        (Schedule(every_n_epochs=2, every_n_steps=150), 150, 200),
        (Schedule(every_n_secs=1.0), 5, None),
        (NEVER, 5, None),
    ],
)
def test_next_step(schedule, global_step, expected) -> None:
    assert schedule.next_step(global_step, steps_per_epoch=100) == expected


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"every_n_epochs": 0}, ValueError),
        ({"every_n_steps": -1}, ValueError),
        ({"every_n_secs": 0}, ValueError),
        ({"every_n_secs": float("nan")}, ValueError),
        ({"every_n_epochs": 1.5}, TypeError),
        ({"every_n_steps": True}, TypeError),
        ({"every_n_secs": "1"}, TypeError),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(arguments, error) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        Schedule(**arguments)


def test_seconds_are_due_once_they_have_passed() -> None:
    schedule = Schedule(every_n_secs=2.0)
    assert not schedule.is_due(5, steps_per_epoch=10, secs_since_last=1.9)
    assert schedule.is_due(5, steps_per_epoch=10, secs_since_last=2.0)


def test_nothing_is_due_before_the_first_step() -> None:
    assert not Schedule(every_n_steps=1, every_n_epochs=1).is_due(0, steps_per_epoch=10, secs_since_last=0)
