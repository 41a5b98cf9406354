"""Keys of the config and their types; Hydra refuses anything else when it composes the config."""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from trainer.config.replaced_nodes import install
from trainer.files import local_path


@dataclass
class RunConfig:
    """Location of a run.

    Args:
        root: Directory of all runs.
        name: Name of the run; null for the name of the experiment.
        dir: Directory of this run; null for <root>/<name>/<date_time>.
    """

    root: str = "outputs"
    name: str | None = None
    dir: str | None = None


@dataclass
class LoopConfig:
    """Length and speed of the training loop.

    Args:
        epochs: Number of epochs to complete, counted from the first start of the run.
        steps_per_epoch: Number of steps in an epoch; null for the whole data set.
        steps_per_call: Maximum number of steps in a call into the graph, or ``auto``.
        log_every_n_steps: Steps of each row of means within epochs; null for rows of whole epochs alone.
        compile: Compilation of the steps: ``auto`` (by a rule), ``off``, ``xla`` or ``measure`` (by timing).
    """

    epochs: int = MISSING
    steps_per_epoch: int | None = None
    steps_per_call: Any = "auto"
    log_every_n_steps: int | None = None
    compile: str = "auto"


@dataclass
class WarmStartConfig:
    """Warm start: variables that a run takes from a checkpoint at its first start.

    Args:
        path: Reference to a checkpoint of this trainer or an external one: a run directory, a directory of
            runs (the newest), a checkpoint directory, DIRECTORY@WHICH with a number, a name, last or best,
            or the prefix or a file of a checkpoint; or a file of weights (.weights.h5, .keras, .npz, a
            SavedModel, a frozen .pb); null for no warm start.
        variables: Names or patterns of the variables to take, or a mapping from the name in the file to
            the name of the variable; null for all variables that both have.
        exclude: Names or patterns of variables that keep the model's own initial values.
    """

    path: str | None = None
    variables: Any = None
    exclude: list[str] = field(default_factory=list)


@dataclass
class SweepConfig:
    """Number that a job of a sweep returns.

    Args:
        metric: Name of the metric; null for the one that the saver monitors, else the loss.
        mode: Value to return: ``last``, that of the last epoch, or the ``min`` or ``max`` of all epochs.
    """

    metric: str | None = None
    mode: str = "last"


@dataclass
class SessionConfig:
    """Settings of TensorFlow's sessions; ``trainer.tensorflow_import`` has the details.

    Args:
        soft_placement: Whether an op that is pinned to a missing device runs on another one.
        memory_growth: Whether GPU memory is taken as it is needed.
        intra_op_threads: Threads of one op; null for one a core.
        inter_op_threads: Ops that run at the same time; null for one a core.
        visible_devices: Indices of the GPUs to use; null for all.
    """

    soft_placement: bool = True
    memory_growth: bool = False
    intra_op_threads: int | None = None
    inter_op_threads: int | None = None
    visible_devices: list[int] | None = None


@dataclass
class TrainConfig:
    """Complete config; the groups contain nodes with a ``_target_``.

    Args:
        run: Location of the run.
        resume: Run to continue: ``never``, ``latest``, ``auto``, or a reference to a checkpoint.
        resume_changes: Treatment of changes that affect the result of a resumed run: ``refuse`` or ``allow``.
        warm_start: Variables taken from a checkpoint at the first start; null for none.
        seed: Seed of initial values, of the order of the data and of random ops.
        trainable: Names or patterns of the variables to train; null for all.
        precision: Precision of Keras layers: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``; null for Keras's.
        trust: Whether models that others made may do more than compute, such as write files; only as typed.
        allow: Modules that the config may name besides those that all may; only as typed.
        debug: Way of looking into a model: ``fast``, ``overfit``, ``numerics`` or ``shapes``; null to train.
        loop: Length and speed of the training loop.
        session: Settings of TensorFlow's sessions.
        sweep: Number that a job of a sweep returns.
        model: Node of the model.
        data: Node of the data.
        optimizer: Node of the optimizer.
        callbacks: Node by name of the callback, in running order.
        vars: Values of the user's own, which other keys interpolate (``${vars.NAME}``).
    """

    run: RunConfig = field(default_factory=RunConfig)
    resume: str = "never"
    resume_changes: str = "refuse"
    warm_start: WarmStartConfig | None = field(default_factory=WarmStartConfig)
    seed: int = 0
    trainable: list[str] | None = None
    precision: str | None = None
    trust: bool = False
    allow: list[str] = field(default_factory=list)
    debug: str | None = None
    loop: LoopConfig = field(default_factory=LoopConfig)
    session: SessionConfig = field(default_factory=SessionConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    model: dict[str, Any] = MISSING
    data: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    vars: dict[str, Any] = field(default_factory=dict)


TOP_KEYS = tuple(each.name for each in fields(TrainConfig))
"""Keys at the top of the config."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    name: tuple(each.name for each in fields(kind))
    for name, kind in (
        ("run", RunConfig),
        ("loop", LoopConfig),
        ("warm_start", WarmStartConfig),
        ("sweep", SweepConfig),
    )
}
"""Keys of the nodes that have no ``_target_``, by the key of the node."""


def temporary_directory() -> str:
    """Returns the directory of the runs that only look into a model, one for each user of the machine."""
    return str(Path(tempfile.gettempdir()) / f"graph-trainer-{getpass.getuser()}")


def register() -> None:
    """Registers with Hydra the schema (the first default of ``conf/train.yaml``), resolvers, and the loader."""
    install()
    OmegaConf.register_new_resolver("local_path", lambda root: str(local_path(root, "run.root")), replace=True)
    OmegaConf.register_new_resolver("temporary_directory", temporary_directory, replace=True)
    ConfigStore.instance().store(name="schema", node=TrainConfig)
