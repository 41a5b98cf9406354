"""Newest and best checkpoint of a run, as its savers report them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from trainer.runs.directory import RunDirectory
from trainer.state import CheckpointSettings, SavedCheckpoint


class SavedCheckpoints:
    """Newest and best checkpoint of a run: savers report them, exporters and ``run.json`` read them.

    Savers may report from another thread. Only savers whose checkpoints a resume can use set the newest.
    The first of them that keeps the best sets the best.

    Args:
        run: Directory of the run.
        savers: Settings of all callbacks that save, in running order.
        newest: Checkpoint that the run was resumed from, or None.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> run = RunDirectory(Path(tempfile.mkdtemp()))
        >>> saved = SavedCheckpoints(run, [CheckpointSettings(prefix="model")])
        >>> saved.committed("model", SavedCheckpoint("model-3", number=3, epoch=3, global_step=300))
        >>> saved.newest.name, run.info().newest_checkpoint
        ('model-3', 'checkpoints/model-3')
    """

    def __init__(
        self, run: RunDirectory, savers: Sequence[CheckpointSettings], newest: SavedCheckpoint | None = None
    ) -> None:
        self._run = run
        self._prefixes = resume_prefixes(savers)
        self._best_prefix = best_prefix(savers)
        self._lock = threading.Lock()
        self._newest = newest
        self._best: SavedCheckpoint | None = None

    @property
    def newest(self) -> SavedCheckpoint | None:
        """Newest checkpoint that a resume can use, or None."""
        with self._lock:
            return self._newest

    @property
    def best(self) -> SavedCheckpoint | None:
        """Best checkpoint by its saver's metric, or None if none has the metric."""
        with self._lock:
            return self._best

    def committed(self, prefix: str, checkpoint: SavedCheckpoint) -> None:
        """Records that a saver has committed a checkpoint.

        Args:
            prefix: Prefix of the saver's checkpoints.
            checkpoint: Committed checkpoint.
        """
        if prefix not in self._prefixes:
            return
        with self._lock:
            self._newest = checkpoint
        self._run.update(
            lambda info: replace(
                info,
                epoch=checkpoint.epoch,
                global_step=checkpoint.global_step,
                newest_checkpoint=self.path(checkpoint),
            )
        )

    def ranked(self, prefix: str, best: SavedCheckpoint | None) -> None:
        """Records which of a saver's checkpoints is the best.

        Args:
            prefix: Prefix of the saver's checkpoints.
            best: Best checkpoint, or None if no checkpoint has the metric.
        """
        if prefix != self._best_prefix:
            return
        with self._lock:
            changed, self._best = self._best != best, best
        if changed and best is not None:
            self._run.update(lambda info: replace(info, best_checkpoint=self.path(best)))

    def path(self, checkpoint: SavedCheckpoint) -> str:
        """Returns the prefix of a checkpoint's files, relative to the run directory."""
        return self._run.relative(self._run.checkpoints / checkpoint.name)


def resume_prefixes(savers: Sequence[CheckpointSettings]) -> tuple[str, ...]:
    """Returns the prefixes of the checkpoints that a resume can use; those of partial ones if there are no others.

    Example:
        >>> resume_prefixes([CheckpointSettings("weights", all_variables=False), CheckpointSettings("model")])
        ('model',)
        >>> resume_prefixes([])
        ('model',)
    """
    whole = [saver.prefix for saver in savers if saver.all_variables]
    return tuple(dict.fromkeys(whole or [saver.prefix for saver in savers] or [CheckpointSettings().prefix]))


def monitored_by(savers: Sequence[CheckpointSettings]) -> CheckpointSettings:
    """Returns the settings of the saver that decides the best checkpoint of the run; the defaults without a saver.

    Example:
        >>> monitored_by([CheckpointSettings("often"), CheckpointSettings(monitor="val_loss", keep_best=1)]).monitor
        'val_loss'
    """
    prefix = best_prefix(savers)
    return next((each for each in savers if each.prefix == prefix), CheckpointSettings())


def best_prefix(savers: Sequence[CheckpointSettings]) -> str | None:
    """Returns the prefix of the saver that decides the best checkpoint of the run; None without a saver.

    It is the first saver that keeps the best, or the first saver if none does.

    Example:
        >>> best_prefix([CheckpointSettings("often"), CheckpointSettings("model", keep_best=1)])
        'model'
    """
    keeping = [saver for saver in savers if saver.keep_best and saver.all_variables]
    return next((saver.prefix for saver in [*keeping, *savers]), None)
