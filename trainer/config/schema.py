"""The keys of the config and their types; Hydra refuses anything else when it composes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class RunConfig:
    """Where a run is.

    Args:
        root: the directory of all runs.
        name: of the run; null is the name of the experiment.
        dir: of this run; null is <root>/<name>/<date_time>.
    """

    root: str = "outputs"
    name: str | None = None
    dir: str | None = None


@dataclass
class LoopConfig:
    """How long and how fast.

    Args:
        epochs: to complete, counted from the first start of the run.
        steps_per_epoch: null is the whole data set.
        steps_per_call: ``auto``, or the most steps in a call into the graph.
        compile: ``auto`` (by a rule), ``off`` or ``xla``.
    """

    epochs: int = MISSING
    steps_per_epoch: int | None = None
    steps_per_call: Any = "auto"
    compile: str = "auto"


@dataclass
class WarmStartConfig:
    """Whose variables the model's begin with, at the first start of a run.

    Args:
        path: a run directory, a directory of runs (the newest), a checkpoint directory,
            DIRECTORY@WHICH with a number, last or best, or the prefix of a checkpoint, of this trainer
            or of plain TensorFlow; null is the model's own start.
        variables: null (all that both have), names or patterns of variables, or a mapping from the
            name in the file to the variable's.
        exclude: names or patterns of variables that keep the model's own start.
    """

    path: str | None = None
    variables: Any = None
    exclude: list[str] = field(default_factory=list)


@dataclass
class TrainConfig:
    """The whole config; the groups hold nodes with a ``_target_``.

    Args:
        run: where.
        resume: ``never``, ``latest``, ``auto``, or a path.
        resume_changes: ``refuse`` or ``allow`` what changes the result of a resumed run.
        warm_start: whose variables the model's begin with; null is the model's own start.
        seed: of initial values, the order of the data and random ops.
        trainable: names or patterns of the variables that are trained; null is all.
        loop: how long and how fast.
        model, data, optimizer: a node each.
        callbacks: name to node, in running order.
    """

    run: RunConfig = field(default_factory=RunConfig)
    resume: str = "never"
    resume_changes: str = "refuse"
    warm_start: WarmStartConfig | None = field(default_factory=WarmStartConfig)
    seed: int = 0
    trainable: list[str] | None = None
    loop: LoopConfig = field(default_factory=LoopConfig)
    model: dict[str, Any] = MISSING
    data: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)


def register() -> None:
    """Makes the schema known to Hydra under the name that ``conf/train.yaml`` begins with."""
    ConfigStore.instance().store(name="schema", node=TrainConfig)
