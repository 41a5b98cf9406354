"""Exit codes and reports of jobs that fail."""

from __future__ import annotations

import logging

import pytest

from trainer.cli.train import Outcome, exit_code, tell
from trainer.errors import NonFiniteError, RequestError

NAN = NonFiniteError("loss", "nan", 3)
WRONG = RequestError("batch_size (99) is too large\nmore", argument="batch_size")


@pytest.mark.parametrize(
    ("errors", "code"),
    [([], 0), ([None], 0), ([NAN], 1), ([WRONG], 2), ([None, None], 0), ([None, WRONG], 1), ([NAN, WRONG], 1)],
)
def test_exit_codes(errors, code) -> None:
    assert exit_code([Outcome("", error) for error in errors]) == code


def test_the_summary_of_a_sweep_has_the_keys_to_change(caplog) -> None:
    caplog.set_level(logging.INFO)
    exit_code([Outcome("seed=1", None), Outcome("data.batch_size=99", WRONG), Outcome("seed=3", NAN)])
    remedy = "lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback"
    assert caplog.messages == [
        "2 of 3 jobs failed\n"
        "  data.batch_size=99: batch_size (99) is too large [data.batch_size]\n"
        f"  seed=3: loss is nan after step 3 [{remedy}]"
    ]


def test_an_error_is_told_with_the_key_to_change(capsys) -> None:
    assert tell(NAN) == 1
    assert capsys.readouterr().err.startswith("error: loss is nan after step 3 [lower optimizer.learning_rate, or")


def test_a_loss_that_is_not_finite_gets_one_remedy(trainer) -> None:
    done = trainer("+experiment=linear", "loop.epochs=1", "optimizer.learning_rate=1e30")
    assert done.returncode == 1
    assert "[lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback]" in done.stderr
    assert (done.stdout + done.stderr).count("learning_rate") == 1
    assert "newest good checkpoint: none was saved yet" in done.stdout
