"""Variables used by rollback: a scale of the learning rate, and the steps whose batches are skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.graphdef.op_types import ROLLBACK_SCOPE
from trainer.state import Rollback

v1 = tf.compat.v1

MAX_ROLLBACKS = 32
"""Maximum number of skipped batches."""

NONE_YET = np.iinfo(np.int64).max
"""Value of unused places in the list of skipped steps."""


@dataclass(frozen=True)
class RollbackVariables:
    """Variables set by rollbacks; they are global, so that later checkpoints contain them.

    Args:
        rate_scale: Variable that multiplies the learning rate, float32 scalar.
        skipped_steps: Variable of the steps whose batches are skipped, int64 [MAX_ROLLBACKS].
    """

    rate_scale: Any
    skipped_steps: Any

    def apply(self, session: Any, rollbacks: list[Rollback]) -> None:
        """Sets both variables to the combined effect of all rollbacks so far."""
        scale = float(np.prod([each.rate_factor for each in rollbacks]))
        steps = np.full(MAX_ROLLBACKS, NONE_YET)
        # Rollback counts steps from 1; the graph identifies a step by the number of updates before it.
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
