"""Everything that a report says of one run, read from its directory without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trainer.checkpoints.stored_checkpoint import StoredCheckpoint, stored_checkpoints
from trainer.errors import TrainerError
from trainer.report.artefacts import Artefact, artefacts_of
from trainer.report.config_files import ConfigFile, SettingChange, is_setting, read_configs, setting_changes
from trainer.report.epoch_rows import STEPS_PER_SEC, EpochRows, read_rows
from trainer.report.labelled import ValidationSummary
from trainer.report.marks import Mark, marks_of
from trainer.report.run_status import BestValue, RunStatus, best_value, words_of_status, worked_secs
from trainer.report.summary_file import FILE, read_summary
from trainer.runs.checkpoint_settings import stored_savers
from trainer.runs.directory import RunDirectory
from trainer.runs.lock import is_held
from trainer.runs.run_info import RunInfo


@dataclass(frozen=True)
class RunRecord:
    """Run as its directory shows it.

    Args:
        path: Run directory.
        info: Content of ``run.json``.
        status: Status in words.
        rows: Rows of ``metrics.jsonl``.
        secs: Seconds of all its processes, or None.
        best: Best value of its metric, or None.
        marks: Marks on the axis of epochs.
        configs: Stored configs, the oldest first.
        artefacts: Files with their checks.
        summary: Summary of the validation part.
        now: Time of reading.
    """

    path: Path
    info: RunInfo
    status: RunStatus
    rows: EpochRows
    secs: float | None
    best: BestValue | None
    marks: tuple[Mark, ...]
    configs: tuple[ConfigFile, ...]
    artefacts: tuple[Artefact, ...]
    summary: ValidationSummary
    now: datetime

    @property
    def name(self) -> str:
        """Name of the run, or that of its directory."""
        return self.info.name or self.path.resolve().name

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the newest config by dotted key."""
        settings = self.configs[-1].settings if self.configs else {}
        return {key: value for key, value in settings.items() if is_setting(key)}

    @property
    def changes(self) -> list[tuple[str, list[SettingChange]]]:
        """Settings that each resume changed, with the name of its config."""
        pairs = zip(self.configs, self.configs[1:], strict=False)
        return [(after.name, setting_changes(before, after)) for before, after in pairs]

    @property
    def rate(self) -> float | None:
        """Steps per second: of the last process, or of the last epoch."""
        if self.info.steps_per_sec is not None:
            return float(self.info.steps_per_sec)
        finite = self.rows.curve(STEPS_PER_SEC).finite
        return finite[-1] if finite else None

    @property
    def epoch(self) -> int | None:
        """Completed epochs, as far as any file shows."""
        shown = [row["epoch"] for row in self.rows.whole[-1:]]
        return max([*shown, *([] if self.info.epoch is None else [self.info.epoch])], default=None)

    def last(self, name: str) -> float | None:
        """Returns the last finite value of a metric, or None."""
        finite = self.rows.curve(name).finite
        return finite[-1] if finite else None


def read_run(path: Path, now: datetime, *, verify: bool) -> RunRecord:
    """Returns what a run directory shows; what is missing or damaged is left out.

    Args:
        path: Run directory.
        now: Current time, with its time zone.
        verify: Whether every byte of the artefacts is compared with its checksum.
    """
    run = RunDirectory(path)
    info, rows, checkpoints = run.info(), read_rows(run.metrics_file), _checkpoints(run)
    epochs = {each.name: _epoch_of(each, rows) for each in checkpoints}
    saved = [(name, epoch) for name, epoch in epochs.items() if epoch is not None]
    best = best_value(rows, stored_savers(path), saved)
    return RunRecord(
        path=path,
        info=info,
        status=words_of_status(info, is_held(run.lock_file)),
        rows=rows,
        secs=worked_secs(info, now),
        best=best,
        marks=marks_of(info, rows, [epoch for _, epoch in saved], best),
        configs=read_configs(path),
        artefacts=artefacts_of(path, checkpoints, info.exports, verify=verify),
        summary=read_summary(path / FILE),
        now=now,
    )


def _checkpoints(run: RunDirectory) -> tuple[StoredCheckpoint, ...]:
    try:
        return stored_checkpoints(run.checkpoints)
    except (TrainerError, OSError):
        return ()


def _epoch_of(checkpoint: StoredCheckpoint, rows: EpochRows) -> float | None:
    """Returns the place of a checkpoint on the axis of epochs."""
    if checkpoint.record is None:
        return None
    at = rows.epoch_of(checkpoint.record.global_step)
    return float(checkpoint.record.epoch) if at is None else at
