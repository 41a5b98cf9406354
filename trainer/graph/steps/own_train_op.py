"""Updates of a model that makes its own train op, in place of the optimizer of the config."""

from __future__ import annotations

import logging
from typing import Any

from trainer.errors import RequestError
from trainer.graph.forward.metrics import ModelMetrics
from trainer.graph.forward.model_calls import ModelCalls
from trainer.graph.losses.side_losses import SideLosses
from trainer.graph.steps.step_bodies import Stepped
from trainer.model import Tensors, name_of

log = logging.getLogger(__name__)

NOT_USED = "%s makes its own train op, so the optimizer of the config is not used; optimizer=none says so"


def used_optimizer(calls: ModelCalls, make_optimizer: Any, *, with_rollback: bool) -> Any:
    """Returns the function that makes the optimizer, None for a model that makes the updates itself.

    Args:
        calls: Calls of the model, whose loss has been asked for.
        make_optimizer: Function that makes the optimizer; None where the config has none.
        with_rollback: Whether rollbacks lower the learning rate.

    Raises:
        RequestError: Nobody makes the updates, or a rollback cannot lower the learning rate.
    """
    name = name_of(calls.model)
    if not calls.trains_itself:
        if make_optimizer is None:
            raise RequestError(
                f"no optimizer is chosen, and {name} makes no train op of its own; choose one, such as optimizer=adam",
                argument="optimizer",
            )
        return make_optimizer
    if with_rollback:
        raise RequestError(
            f"a rollback lowers the learning rate of the optimizer in the config, and {name} makes its own train op; "
            "set callbacks.nan_guard.action=stop"
        )
    if make_optimizer is not None:
        log.warning(NOT_USED, name)
    return None


class OwnTrainOp:
    """Update by the train op that a call of the model makes.

    Args:
        calls: Calls of the model.
        metrics: Metrics of the model.
        side_losses: Losses in collections, which the train op has added.
        global_step: Variable of the number of updates, int64 scalar.
    """

    def __init__(self, calls: ModelCalls, metrics: ModelMetrics, side_losses: SideLosses, global_step: Any) -> None:
        self._calls = calls
        self._metrics = metrics
        self._side_losses = side_losses
        self._global_step = global_step

    def __call__(self, inputs: Tensors, labels: Tensors, seed: Any) -> Stepped:
        """Adds the update to the ``tf.function`` that is being traced."""
        with self._side_losses.collected():
            outputs = self._calls.outputs(inputs, training=True, seed=seed, labels=labels)
            own = self._calls.loss(outputs, labels)
        measured = self._metrics.measure(outputs, labels, own, self._calls.varying_examples(inputs))
        self._global_step.assign_add(1)
        return Stepped(measured)
