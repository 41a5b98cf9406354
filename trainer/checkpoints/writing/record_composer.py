"""Composition of commit records, without their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trainer.callback import Context
from trainer.checkpoints.record import CommitRecord
from trainer.checks import finite_or_none
from trainer.runs.versions import versions
from trainer.timing import utc_now


class RecordComposer:
    """Composer of commit records, which also counts the time of training over all processes of a run.

    Args:
        prefix: Prefix of the checkpoints' names.
        by_epochs_alone: Whether epochs alone schedule saves: checkpoints are then numbered by epochs,
            else by the global step.
        clock: Function that returns monotonic seconds.

    Example:
        >>> composer = RecordComposer("model", by_epochs_alone=True, clock=lambda: 0.0)
        >>> composer.name(global_step=300, steps_per_epoch=100), composer.name(343, 100)
        ('model-3', 'model-3+43')
    """

    def __init__(self, prefix: str, *, by_epochs_alone: bool, clock: Callable[[], float]) -> None:
        self._prefix = prefix
        self._by_epochs_alone = by_epochs_alone
        self._clock = clock
        self._trained_secs = 0.0

    def start(self) -> None:
        """Starts to count the time of training, in addition to that of earlier processes."""
        self._start_time = self._clock() - self._trained_secs
        self._versions = versions()

    def number(self, global_step: int, steps_per_epoch: int) -> int:
        """Returns the number of a checkpoint: completed epochs, or the global step."""
        return global_step // steps_per_epoch if self._by_epochs_alone else global_step

    def name(self, global_step: int, steps_per_epoch: int) -> str:
        """Returns the name of a checkpoint.

        For a save inside an epoch, the name also has the steps into the epoch: the number alone names
        the checkpoint at the epoch's start.
        """
        steps_into_epoch = global_step % steps_per_epoch if self._by_epochs_alone else 0
        into = f"+{steps_into_epoch}" if steps_into_epoch else ""
        return f"{self._prefix}-{self.number(global_step, steps_per_epoch)}{into}"

    def compose(self, context: Context, *, seed: int, complete: bool) -> CommitRecord:
        """Returns the record of a save at this moment, without files.

        Args:
            context: Context of the run at the step of the save.
            seed: Seed of the run.
            complete: Whether the files hold all that a resume needs.
        """
        step, steps_per_epoch, info = context.record.global_step, context.steps_per_epoch, context.run.info()
        self._trained_secs = self._clock() - self._start_time
        return CommitRecord(
            name=self.name(step, steps_per_epoch),
            number=self.number(step, steps_per_epoch),
            epoch=step // steps_per_epoch,
            global_step=step,
            metrics=finite_or_none(context.record.metrics),
            state=context.resume_state.state_dict(),
            complete=complete,
            trained_secs=round(self._trained_secs, 3),
            saved_at=utc_now(),
            settings={
                "seed": seed,
                "versions": self._versions,
                "steps_per_epoch": steps_per_epoch,
                "config": info.config_digest,
                "compile": info.compile,
            },
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns the seconds trained so far."""
        return {"trained_secs": round(self._trained_secs, 3)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the seconds trained in earlier processes."""
        self._trained_secs = float(state["trained_secs"])
