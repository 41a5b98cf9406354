"""What a rollback needs in the graph: a scale of the learning rate, and the batches left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.graph.variables import ROLLBACK_SCOPE
from trainer.state import Rollback

v1 = tf.compat.v1

MAX_ROLLBACKS = 32
"""The length of the list of batches that are left out."""

NONE_YET = np.iinfo(np.int64).max


@dataclass(frozen=True)
class RollbackVariables:
    """Global variables, so that later checkpoints hold what earlier rollbacks changed.

    Args:
        rate_scale: float32 scalar that multiplies the learning rate.
        skipped_steps: int64 [MAX_ROLLBACKS], the steps whose batches are left out.
    """

    rate_scale: Any
    skipped_steps: Any

    def apply(self, session: Any, rollbacks: list[Rollback]) -> None:
        """Sets both as all rollbacks so far want them."""
        scale = float(np.prod([each.rate_factor for each in rollbacks]))
        steps = np.full(MAX_ROLLBACKS, NONE_YET)
        # A step counts from 1 for people and is known in the graph by the updates before it.
        steps[: len(rollbacks)] = sorted(each.skip_step - 1 for each in rollbacks)[-MAX_ROLLBACKS:]
        self.rate_scale.load(np.float32(scale), session)
        self.skipped_steps.load(steps, session)


def make_variables() -> RollbackVariables:
    """Makes the variables in the default graph."""
    return RollbackVariables(
        v1.get_variable(f"{ROLLBACK_SCOPE}rate_scale", [], tf.float32, v1.ones_initializer(), trainable=False),
        v1.get_variable(
            f"{ROLLBACK_SCOPE}skipped_steps",
            [MAX_ROLLBACKS],
            tf.int64,
            v1.constant_initializer(NONE_YET, tf.int64),
            trainable=False,
        ),
    )
