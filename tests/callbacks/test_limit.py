"""Limits of steps and seconds, in runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.limit import Limit
from tests.helpers import assert_same_bits, prepared, run


def info(directory: Any) -> dict[str, Any]:
    return json.loads((directory / "run.json").read_text())


@pytest.mark.parametrize("per_call", [1, 4, None])
def test_a_limit_of_steps_ends_the_run_at_exactly_that_step(tmp_path, per_call) -> None:
    callbacks = {"limit": Limit(max_steps=7), "c": Checkpoint()}
    assert run(tmp_path / "run", callbacks, epochs=9, steps_per_call=per_call).global_step == 7
    assert info(tmp_path / "run")["status"] == "finished"
    assert info(tmp_path / "run")["stop_reason"] == "7 steps are done (max_steps is 7)"


def test_a_run_at_its_limit_of_steps_goes_on_with_a_higher_one(tmp_path) -> None:
    run(tmp_path / "run", {"limit": Limit(max_steps=7), "c": Checkpoint()}, epochs=9)
    told = "stopped early at epoch 1 of 9: 7 steps are done (max_steps is 7); it goes on with "
    needs = "callbacks.limit.max_steps above 7, or without callbacks.limit"
    assert prepared(tmp_path / "run", {"limit": Limit(max_steps=7), "c": Checkpoint()}, 9).completion == told + needs
    assert prepared(tmp_path / "run", {"limit": Limit(max_steps=5), "c": Checkpoint()}, 9).is_complete
    assert run(tmp_path / "run", {"limit": Limit(max_steps=12), "c": Checkpoint()}, epochs=9).global_step == 12
    run(tmp_path / "straight", {"limit": Limit(max_steps=12), "c": Checkpoint()}, epochs=9)
    assert_same_bits(*(tmp_path / name / info(tmp_path / name)["newest_checkpoint"] for name in ("run", "straight")))


def test_a_run_beyond_a_lower_limit_of_steps_does_no_more(tmp_path) -> None:
    run(tmp_path / "run", {"c": Checkpoint()}, epochs=2)
    assert run(tmp_path / "run", {"limit": Limit(max_steps=3), "c": Checkpoint()}, epochs=9).global_step == 10


def seconds() -> Iterator[float]:
    yield from count(0.0, 10.0)


def test_a_limit_of_seconds_pauses_the_run_and_a_resume_goes_on_for_as_long(tmp_path) -> None:
    def limit() -> Limit:
        times = seconds()
        return Limit(max_secs=1e-6, clock=lambda: next(times))

    first = run(tmp_path / "run", {"limit": limit(), "c": Checkpoint()}, epochs=9, steps_per_call=1)
    assert first.global_step < 45
    found = info(tmp_path / "run")
    assert (found["status"], found["stop_reason"]) == ("interrupted", "1e-06 s are over (max_secs)")
    assert not prepared(tmp_path / "run", {"limit": limit(), "c": Checkpoint()}, 9).is_complete
    then = run(tmp_path / "run", {"limit": limit(), "c": Checkpoint()}, epochs=9, steps_per_call=1)
    assert first.global_step < then.global_step < 45
    run(tmp_path / "run", {"c": Checkpoint()}, epochs=9)
    assert "stop_reason" not in info(tmp_path / "run")
