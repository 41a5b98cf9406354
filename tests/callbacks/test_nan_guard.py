"""The guard against losses that are not finite, without a run; ``scenarios/test_bad_numbers.py`` shows it in runs."""

from __future__ import annotations

import numpy as np
import pytest

from callbacks.nan_guard import NanGuard
from tests.callbacks.contexts import context
from trainer.errors import NonFiniteError
from trainer.state import Rollback, StepMetrics


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([1.0, 2.0], None),
        ([1.0, np.nan, np.inf], "loss is nan after step 12"),
        ([-np.inf], "loss is -inf after step 11"),
    ],
)
def test_the_first_loss_that_is_not_finite_is_named(losses, message) -> None:
    steps = StepMetrics(first_step=11, names=("loss", "error"), values=np.float32([[each, np.nan] for each in losses]))
    if message is None:
        NanGuard().on_call_end(context(), steps)
    else:
        with pytest.raises(NonFiniteError, match=f"^{message}$"):
            NanGuard().on_call_end(context(), steps)


@pytest.mark.parametrize(
    ("arguments", "error", "asked"),
    [
        ({}, NonFiniteError("loss", "nan", 7), [None, None, None]),
        ({"action": "rollback"}, ValueError("another"), [None, None, None]),
        (
            {"action": "rollback", "max_rollbacks": 2, "rate_factor": 0.1},
            NonFiniteError("loss", "nan", 7),
            [Rollback(7, 0.1), Rollback(7, 0.1), None],
        ),
    ],
)
def test_a_rollback_is_asked_for_while_one_is_left(arguments, error, asked) -> None:
    guard, found = NanGuard(**arguments), []
    for _ in asked:
        here = context()
        guard.on_exception(here, error)
        found.append(here.rollback)
    assert found == asked


def test_the_count_is_taken_back_at_a_resume_and_never_lowered() -> None:
    guard = NanGuard(action="rollback", max_rollbacks=2)
    guard.load_state_dict({"rollbacks": 1})
    guard.load_state_dict({"rollbacks": 0})
    assert guard.state_dict() == {"rollbacks": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"action": "rolback"}, "did you mean rollback"),
        ({"max_rollbacks": 0}, "max_rollbacks"),
        ({"rate_factor": 0.0}, "rate_factor"),
        ({"rate_factor": 1.5}, "at most 1"),
    ],
)
def test_a_wrong_value_is_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        NanGuard(**arguments)
