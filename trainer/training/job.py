"""The parts of a run: plain objects, no config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.model import Model
from trainer.training.callback_list import CallbackList
from trainer.training.resume import Start
from trainer.warm_start import WarmStart

if TYPE_CHECKING:
    from trainer.graph.build import MakeOptimizer


@dataclass(frozen=True)
class Invocation:
    """Call of a run, for its records.

    Args:
        command: Command line, as it can be pasted into a shell.
        config_text: Composed config as YAML.
        config_digest: SHA-256 of the settings that change what is computed.
        changes: Settings that a resume changes, as text.
        overrides: Overrides of the config, as typed.
    """

    command: str | None = None
    config_text: str = ""
    config_digest: str | None = None
    changes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """The parts of a run.

    Args:
        name: Name of the run.
        make_model: Function that makes the model; called while the graph is open.
        make_optimizer: Function that makes the optimizer, given the global step and the scale of the
            learning rate; called while the graph is open. None for a model that makes its own train op.
        data: Source of batches.
        callbacks: Callbacks in running order.
        start: Run directory, and the checkpoint to continue from.
        epochs: Epochs to complete, counted from the first start.
        warm_start: Settings of the warm start of a new run, or None; a resume ignores them.
        trainable: Patterns of the variables that are trained, or None for all.
        steps_per_epoch: Updates in an epoch, or None for the whole data set.
        steps_per_call: Limit on the steps of a call into the graph, or None to learn one.
        log_every_n_steps: Steps of each row of ``on_log``, or None for no rows.
        seed: Seed of initial values, the order of the data and random ops.
        compile: ``auto``, ``off``, ``xla`` or ``measure``.
        precision: Precision of Keras layers, or None for Keras's own policy.
        rate_can_be_scaled: Whether ``make_optimizer`` takes a scale of the learning rate, as a
            rollback needs it.
        new_learning_rate: Whether a resume takes the learning rate of the optimizer instead of the
            checkpoint's.
        debug: ``fast``, ``overfit`` or ``numerics`` for a run that looks into a model, or None.
        invocation: How the run was called.
    """

    name: str
    make_model: Callable[[], Model]
    make_optimizer: MakeOptimizer | None
    data: Any
    callbacks: CallbackList
    start: Start
    epochs: int
    warm_start: WarmStart | None = None
    trainable: Sequence[str] | None = None
    steps_per_epoch: int | None = None
    steps_per_call: int | None = None
    log_every_n_steps: int | None = None
    seed: int = 0
    compile: str = "auto"
    precision: str | None = None
    rate_can_be_scaled: bool = False
    new_learning_rate: bool = False
    debug: str | None = None
    invocation: Invocation = Invocation()

    @property
    def may_roll_back(self) -> bool:
        """True where the graph is built for rollbacks."""
        return self.callbacks.needs_rollback and self.rate_can_be_scaled
