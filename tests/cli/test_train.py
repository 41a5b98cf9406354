"""Errors as the command line tells them."""

from __future__ import annotations

from trainer.cli.train import tell
from trainer.errors import NonFiniteError

NAN = NonFiniteError("loss", "nan", 3)


def test_an_error_is_told_with_the_key_to_change(capsys) -> None:
    assert tell(NAN) == 1
    assert capsys.readouterr().err.startswith("error: loss is nan after step 3 [lower optimizer.learning_rate, or")


def test_a_loss_that_is_not_finite_gets_one_remedy(trainer) -> None:
    done = trainer("+experiment=linear", "loop.epochs=1", "optimizer.learning_rate=1e30")
    assert done.returncode == 1
    assert "[lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback]" in done.stderr
    assert (done.stdout + done.stderr).count("learning_rate") == 1
    assert "newest good checkpoint: none was saved yet" in done.stdout
