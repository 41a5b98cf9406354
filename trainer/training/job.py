"""What a run is made of: plain objects, no config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainer.model import Model
from trainer.training.callback_list import CallbackList
from trainer.training.resume import Start
from trainer.warm_start import WarmStart

if TYPE_CHECKING:
    from trainer.graph.build import MakeOptimizer


@dataclass(frozen=True)
class Job:
    """What a run is made of.

    Args:
        name: of the run.
        make_model: called while the graph is open.
        make_optimizer: the same, given the global step and the scale of the learning rate.
        data: a source of batches.
        callbacks: in the order of the config.
        start: the directory, and the checkpoint to continue from.
        warm_start: whose variables a new run begins with, or None; a resume never looks at it.
        trainable: patterns of the variables that are trained, or None for all.
        epochs: to complete, counted from the first start.
        steps_per_epoch: or None for the whole data set.
        steps_per_call: or None to learn it.
        seed: of initial values, the order of the data and random ops.
        compile: ``auto``, ``off`` or ``xla``.
        may_roll_back: whether the graph is built for rollbacks.
        new_learning_rate: whether a resume takes the rate of the config instead of the checkpoint's.
        config_text: YAML, for the run directory.
        facts: for ``run.json``: the command, the digest of the config.
    """

    name: str
    make_model: Callable[[], Model]
    make_optimizer: MakeOptimizer
    data: Any
    callbacks: CallbackList
    start: Start
    epochs: int
    warm_start: WarmStart | None = None
    trainable: Sequence[str] | None = None
    steps_per_epoch: int | None = None
    steps_per_call: int | None = None
    seed: int = 0
    compile: str = "auto"
    may_roll_back: bool = False
    new_learning_rate: bool = False
    config_text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
