"""Where calls are cut: tables and properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainer.schedule import Schedule
from trainer.training.plan import MAX_SECS_PER_CALL, CallLimit, RunLength, next_stop

counts = st.none() | st.integers(1, 50)
schedules = st.builds(Schedule, every_n_epochs=counts, every_n_steps=counts)


@given(
    st.lists(schedules, max_size=4),
    st.integers(1, 20),
    st.integers(1, 10),
    st.lists(st.integers(1, 70), min_size=1, max_size=5),
)
def test_stops_hit_every_due_point_whatever_the_calls(each, steps_per_epoch, epochs, limits) -> None:
    length = RunLength(epochs, steps_per_epoch)
    stops, step = [], 0
    while step < length.total_steps:
        stop = next_stop(step, length, each, limits[len(stops) % len(limits)])
        assert step < stop <= step + limits[len(stops) % len(limits)]
        stops.append(step := stop)
    assert stops[-1] == length.total_steps
    due = {
        step
        for step in range(1, length.total_steps + 1)
        for schedule in each
        if schedule.is_due(step, steps_per_epoch, secs_since_last=0)
    }
    assert due <= set(stops)


def test_a_fixed_number_of_steps_bounds_every_call() -> None:
    assert CallLimit(steps_per_call=7, max_steps=100).limit(float("inf")) == 7
    assert CallLimit(steps_per_call=700, max_steps=100).limit(float("inf")) == 100


def test_the_first_call_is_one_step() -> None:
    assert CallLimit(None, max_steps=1000).limit(float("inf")) == 1


@given(st.floats(1e-6, 5.0), st.integers(1, 10_000))
def test_a_learnt_pace_settles_on_calls_of_at_most_about_a_second(secs_per_step, max_steps) -> None:
    call_limit = CallLimit(None, max_steps)
    for _ in range(40):
        steps = call_limit.limit(float("inf"))
        assert 1 <= steps <= max_steps
        assert steps == 1 or steps * secs_per_step <= MAX_SECS_PER_CALL * 1.001
        call_limit = call_limit.updated(steps, steps * secs_per_step)
    assert steps >= min(max_steps, int(MAX_SECS_PER_CALL / secs_per_step)) * 0.99 - 1


def test_a_slow_first_call_is_forgotten() -> None:
    call_limit = CallLimit(None, max_steps=10_000).updated(1, 3.0)
    for _ in range(30):
        steps = call_limit.limit(float("inf"))
        call_limit = call_limit.updated(steps, steps * 1e-4)
    assert steps >= 0.99 * MAX_SECS_PER_CALL / 1e-4


def test_a_callback_due_by_the_clock_shortens_the_call() -> None:
    call_limit = CallLimit(None, max_steps=10_000, longest=10_000, secs_per_step=0.001)
    assert call_limit.limit(0.5) == 500
    assert call_limit.limit(-1.0) == 1
