"""What a callback is told, without a run."""

from __future__ import annotations

from pathlib import Path

from trainer.callback import Context
from trainer.runs.directory import RunDirectory
from trainer.state import RunState


def context() -> Context:
    return Context(
        None,
        RunDirectory(Path("x")),
        RunState(0, 0),
        total_epochs=10,
        steps_per_epoch=5,
        resume_state=None,
        checkpoints=None,
    )
