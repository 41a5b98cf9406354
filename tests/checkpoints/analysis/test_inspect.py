"""Problems of a checkpoint that has no commit record."""

from __future__ import annotations

import os
import shutil

from tests.damage import flip
from trainer.checkpoints.analysis.inspect import problems_of
from trainer.checkpoints.resolve import resolve_checkpoint


def test_verify_finds_a_flipped_byte_where_there_is_no_record(plain, tmp_path) -> None:
    directory = shutil.copytree(plain, tmp_path / "plain")
    flip(directory / "old.ckpt-1.data-00000-of-00001")
    (problem,) = problems_of(resolve_checkpoint(f"{directory}@1"))
    assert "are not those that were written" in problem
    os.truncate(directory / "old.ckpt-2.meta", 100)
    assert "is not a MetaGraphDef" in problems_of(resolve_checkpoint(f"{directory}@2"))[0]
