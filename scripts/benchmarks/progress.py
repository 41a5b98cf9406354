"""Cost of the bar, and of rows of metrics within epochs."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.cases import CASES
from benchmarks.processes import Figures, in_a_process, medians
from benchmarks.speed import rate_between
from benchmarks.trainer_job import train_case

STEPS_PER_ROW = 100
VARIANTS = ("bare", "bar", "rows", "both")
TURNS = 3


def measure_progress(name: str, secs: float) -> Figures:
    """Worker: steps per second with and without the bar and the rows, as ratios; all take turns in one process.

    Args:
        name: Name of the case.
        secs: Seconds of each measurement, after a warm-up of half as long.
    """
    rates: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for turn in range(TURNS):
        for variant in VARIANTS if turn % 2 else reversed(VARIANTS):
            rates[variant].append(_rate(name, variant, secs))
    found = {variant: statistics.median(each) for variant, each in rates.items()}
    return {f"{name}_{variant}": found[variant] / found["bare"] for variant in VARIANTS[1:]}


def _rate(name: str, variant: str, secs: float) -> float:
    from callbacks.checkpoint import Checkpoint
    from callbacks.metrics import Metrics
    from callbacks.nan_guard import NanGuard
    from callbacks.progress import Progress
    from trainer.callback import Callback
    from trainer.schedule import Schedule

    class Watch(Callback):
        """Recorder of steps and times, which ends the run."""

        schedule = Schedule(every_n_secs=0.25)

        def __init__(self) -> None:
            self.seen: list[tuple[float, int]] = []

        def on_step_end(self, context: Any) -> None:
            self.seen.append((time.perf_counter(), context.record.global_step))
            if self.seen[-1][0] - self.seen[0][0] > secs * 1.5:
                context.request_stop("measured")

    watch = Watch()
    callbacks: dict[str, Callback] = {"watch": watch, "guard": NanGuard(), "metrics": Metrics()}
    callbacks["checkpoint"] = Checkpoint(every_n_epochs=None, every_n_secs=1.0)
    if variant in ("bar", "both"):
        callbacks["progress"] = Progress()
    rows = STEPS_PER_ROW if variant in ("rows", "both") else None
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        patch("callbacks.progress.is_terminal", lambda: True),
        patch("sys.stderr", nowhere),
    ):
        train_case(CASES[name], Path(folder) / "run", callbacks, log_every_n_steps=rows)
    return rate_between([each for each in watch.seen if each[0] - watch.seen[0][0] >= secs / 2])


def compare_progress(rounds: int, secs: float) -> Figures:
    """Returns the speed with the bar, with a row for each 100 steps, and with both, relative to neither."""
    found = {}
    for name in ("linear", "dense"):
        found |= medians([in_a_process("progress", name=name, secs=secs) for _ in range(rounds)])
    return found
