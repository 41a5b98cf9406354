"""Newest and best checkpoint of a run with several savers."""

from __future__ import annotations

import pytest

from trainer.runs.directory import RunDirectory
from trainer.runs.saved_checkpoints import SavedCheckpoints, best_prefix, resume_prefixes
from trainer.state import CheckpointSettings, SavedCheckpoint

WHOLE, BEST = CheckpointSettings("whole"), CheckpointSettings("best", keep_best=1)
PART = CheckpointSettings("part", keep_best=1, all_variables=False)


@pytest.mark.parametrize(
    ("savers", "resumed", "best"),
    [
        ([], ("model",), None),
        ([WHOLE], ("whole",), "whole"),
        ([PART], ("part",), "part"),
        ([PART, WHOLE], ("whole",), "part"),
        ([WHOLE, BEST], ("whole", "best"), "best"),
        ([PART, WHOLE, BEST], ("whole", "best"), "best"),
    ],
)
def test_which_savers_count(savers, resumed, best) -> None:
    assert (resume_prefixes(savers), best_prefix(savers)) == (resumed, best)


def test_only_savers_that_count_are_in_run_json(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    saved = SavedCheckpoints(run, [PART, WHOLE, BEST])
    for prefix, number in (("whole", 1), ("part", 2), ("best", 1)):
        checkpoint = SavedCheckpoint(f"{prefix}-{number}", number, number, number)
        saved.committed(prefix, checkpoint)
        saved.ranked(prefix, checkpoint)
    assert (saved.newest.name, saved.best.name) == ("best-1", "best-1")
    assert (run.info().newest_checkpoint, run.info().best_checkpoint) == ("checkpoints/best-1", "checkpoints/best-1")
