"""Evaluation in a run."""

from __future__ import annotations

from callbacks.evaluate import Evaluate
from tests.helpers import dataset, run
from trainer.data.streamed import Streamed


def test_evaluation_over_a_data_set(tmp_path) -> None:
    validation = run(tmp_path / "a", {"e": Evaluate()}, data=Streamed(dataset, 8, validation=dataset)).metrics
    assert validation["val_loss"] > 0
