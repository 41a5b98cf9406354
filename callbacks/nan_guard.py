"""Guard against a loss that is not finite: the run stops, or rolls back and leaves the batch out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.callback import Callback, Context
from trainer.checks import check_choice, check_int, check_number
from trainer.errors import NonFiniteError
from trainer.state import Rollback, StepMetrics

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

MAX_LEFT_OUT = 100
"""Maximum number of steps in a row with a loss that is not finite, where the optimizer leaves these steps out."""


class NanGuard(Callback):
    """Checks the loss of every step, which each call into the graph returns anyway.

    Steps after the bad one in the same call have run by then; no checkpoint and no export holds
    their result. The variables are checked before every save. With data in memory the run names the op
    that gave the first number that is not finite. An optimizer with a dynamic loss scale leaves such a
    step out by itself; the guard then waits until it has left out many in a row.

    Args:
        action: ``stop`` ends the run with exit code 1. ``rollback`` goes on from the newest good
            checkpoint without the offending batch and with a lower learning rate.
        max_rollbacks: Number of rollbacks after which the run ends all the same.
        rate_factor: Factor by which each rollback multiplies the learning rate.

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> NanGuard(action="rollback").state_dict()
        {'rollbacks': 0}
    """

    def __init__(self, *, action: str = "stop", max_rollbacks: int = 3, rate_factor: float = 0.5) -> None:
        self._action = check_choice("action", action, ("stop", "rollback"))
        self._max_rollbacks = check_int("max_rollbacks", max_rollbacks, minimum=1)
        self._rate_factor = check_number("rate_factor", rate_factor, above=0)
        if self._rate_factor > 1:
            raise ValueError(f"rate_factor ({rate_factor:g}) must be at most 1: a rollback lowers the rate")
        self._rollbacks = 0
        self._tolerated = self._in_a_row = 0
        self.needs_rollback = action == "rollback"

    def on_build(self, build: GraphContext) -> None:
        """Refuses a rollback where the graph was not built for it."""
        self._tolerated = MAX_LEFT_OUT if build.skips_steps else 0
        if self._action == "rollback" and build.rollback is None:
            raise ValueError("action=rollback needs an optimizer whose learning_rate is set, so that it can be lowered")

    def on_call_end(self, context: Context, steps: StepMetrics) -> None:
        """Raises if the loss of a step is nan or infinite."""
        loss = steps.values[:, 0]
        is_finite = np.isfinite(loss)
        if is_finite.all():
            self._in_a_row = 0
            return
        for i, finite in enumerate(is_finite):
            self._in_a_row = 0 if finite else self._in_a_row + 1
            if self._in_a_row > self._tolerated:
                raise NonFiniteError("loss", str(loss[i]), steps.first_step + i)

    def on_exception(self, context: Context, error: BaseException) -> None:
        """Requests a rollback, if that is the action and one is left."""
        if not isinstance(error, NonFiniteError) or self._action != "rollback":
            return
        if self._rollbacks < self._max_rollbacks:
            self._rollbacks += 1
            context.request_rollback(Rollback(error.step, self._rate_factor))

    def state_dict(self) -> dict[str, Any]:
        """Returns the rollbacks so far."""
        return {"rollbacks": self._rollbacks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the count back; a rollback, which loads an older state, does not lower it."""
        self._rollbacks = max(self._rollbacks, int(state["rollbacks"]))
