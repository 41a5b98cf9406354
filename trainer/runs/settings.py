"""Settings of a run that are plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.checks import check_int
from trainer.tensorflow_import import SessionSettings
from trainer.warm_start import WarmStart

MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Settings:
    """Checked values that decide where a run is, how long it is and how its steps run.

    Args:
        root: Directory of all runs.
        name: Name of the run.
        run_dir: Directory of this run, or None for a new one.
        resume: Run to continue: ``never``, ``latest``, ``auto``, or a reference to a checkpoint.
        may_change: Whether a resume accepts changes that affect its result.
        warm_start: Variables that a new run takes from a checkpoint, or None.
        trainable: Names or patterns of the variables to train, or None for all.
        seed: Seed from 0 to 2**31 - 1, the range of the graph's random ops.
        epochs: Number of epochs to complete, at least 1.
        steps_per_epoch: Number of steps in an epoch, at least 1, or None for the whole data set.
        steps_per_call: Maximum number of steps in a call into the graph, at least 1, or None for automatic.
        compile: Compilation of the steps: ``auto``, ``off``, ``xla`` or ``measure``.
        session: Settings of TensorFlow's sessions.
        precision: Precision of Keras layers, or None for Keras's own policy.
        log_every_n_steps: Steps of each row of means within epochs, at least 1, or None for no rows.
    """

    root: Path
    name: str
    run_dir: Path | None
    resume: str
    may_change: bool
    warm_start: WarmStart | None
    trainable: tuple[str, ...] | None
    seed: int
    epochs: int
    steps_per_epoch: int | None
    steps_per_call: int | None
    compile: str
    session: SessionSettings
    precision: str | None = None
    log_every_n_steps: int | None = None


def check_seed(value: Any) -> int:
    """Returns a seed.

    Raises:
        TypeError, ValueError: The value is not a whole number from 0 to 2**31 - 1.

    Example:
        >>> check_seed(7)
        7
    """
    seed = check_int("seed", value, minimum=0)
    if seed > MAX_SEED:
        raise ValueError(f"seed ({seed}) must be at most {MAX_SEED}")
    return seed
