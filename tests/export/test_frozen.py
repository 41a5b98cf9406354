"""The frozen file, checked before it is put in place."""

from __future__ import annotations

import pytest

from tests.helpers import Unsteady, run
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import ReadBackError
from trainer.export.from_checkpoint import freeze_checkpoint


def test_a_frozen_file_that_gives_something_else_is_not_put_in_place(tmp_path) -> None:
    run(tmp_path / "run", make_model=Unsteady, epochs=1)
    with pytest.raises(ReadBackError, match="op differs by up to"):
        freeze_checkpoint(resolve_checkpoint(tmp_path / "run"), tmp_path / "wrong.pb")
    assert not list(tmp_path.glob("*wrong*"))
