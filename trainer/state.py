"""Where training stands, and what is asked of it: plain data that callbacks, loop and graph share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunState:
    """Where training stands; immutable, a new one replaces it.

    Args:
        epoch: completed epochs.
        global_step: updates of the variables so far.
        metrics: of the last completed epoch: ``loss``, the model's metrics, ``val_...`` where
            there is a validation part, and ``steps_per_sec``.
    """

    epoch: int
    global_step: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StepMetrics:
    """The metrics of each step of one call into the graph.

    Args:
        first_step: the global step after the first of them.
        names: of the columns, ``loss`` first.
        values: float32 [steps, metrics].
    """

    first_step: int
    names: tuple[str, ...]
    values: Any


@dataclass(frozen=True)
class Rollback:
    """A request to go back to the newest good checkpoint and leave a batch out.

    Args:
        skip_step: the update, counted from 1, whose batch is left out from now on.
        rate_factor: by which the learning rate is multiplied.
    """

    skip_step: int
    rate_factor: float
