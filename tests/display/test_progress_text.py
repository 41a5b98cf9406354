"""Texts about the progress, and their choice for a width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.display.progress_text import Moment, Speed, fitted
from trainer.state import RunState


def speed_of(rate: float) -> Speed:
    speed = Speed(0.0, 0)
    speed.measure(1.0, 0)
    speed.measure(101.0, round(100 * rate))
    return speed


@pytest.mark.parametrize(
    ("state", "rate", "line"),
    [
        (RunState(0, 4120), 403, "epoch 1/3: step 4,120/15,000, loss 0.31, 403 steps/s, 27 s left, run 101 s"),
        (RunState(2, 34_120, {"val_loss": 1.0}), 403, "epoch 3/3: step 4,120/15,000, val_loss 1, loss 0.31, 403 steps/s"
         ", 27 s left"),
        (RunState(1, 15_000, {"loss": 0.5}), 403, "epoch 1/3: step 15,000/15,000, loss 0.5, 403 steps/s, run 74 s"),
        (RunState(3, 45_000, {"loss": 0.5}), 403, "epoch 3/3: step 15,000/15,000, loss 0.5, 403 steps/s"),
        (RunState(1, 20_000, {"loss": 0.5, "learning_rate": 0.001}), 15_000, "epoch 1/3: loss 0.5, learning_rate 0.001,"
         " 15,000 steps/s, 2 s left"),
        (RunState(0, 1), 0, "epoch 1/3: step 1/15,000, loss 0.31"),
        (RunState(0, 0), 0, "epoch 0/3"),
    ],
)  # fmt: skip
def test_a_line(state, rate, line) -> None:
    so_far = {"loss": 0.31} if state.global_step % 15_000 else {}
    assert Moment.of(state, 3, 15_000, so_far, speed_of(rate)).line() == line


def test_the_first_call_is_no_part_of_a_rate_unless_it_is_the_only_one() -> None:
    speed = Speed(0.0, 0)
    speed.measure(10.0, 1)
    assert speed.newest is None
    speed.finish(10.0, 20)
    assert speed.newest == 2.0


@given(st.lists(st.tuples(st.integers(0, 9), st.text("ab", max_size=9)), max_size=9), st.integers(0, 60))
def test_what_is_shown_fits_and_keeps_its_order(parts, width) -> None:
    shown = fitted(parts, width)
    assert len(shown) <= width
    texts = [text for _, text in parts if text]
    if shown:
        rest = iter(texts)
        assert all(any(each == text for text in rest) for each in shown.split(", "))
    if sum(len(text) + 2 for text in texts) <= width:
        assert shown == ", ".join(texts)
