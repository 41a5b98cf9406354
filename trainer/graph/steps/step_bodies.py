"""Body of an update: forward pass, losses, metrics and the steps of the optimizers on one batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.forward.metrics import Measured, ModelMetrics
from trainer.graph.forward.model_calls import ModelCalls
from trainer.graph.losses.losses import Loss
from trainer.graph.losses.side_losses import SideLosses, with_side_losses
from trainer.graph.ops.variables import variables_by_name
from trainer.graph.optimizers.optimizers import OptimizerStep
from trainer.graph.steps.updates import StepLosses, Updates
from trainer.model import Tensors

v1 = tf.compat.v1


class StepBody(Protocol):
    """Body of an update: forward pass, losses, gradients, optimizers, step count."""

    def __call__(self, inputs: Tensors, labels: Tensors, seed: Any) -> Stepped:
        """Adds it to the ``tf.function`` that is being traced.

        Args:
            inputs: Inputs of the model, tensors [batch, ...] by name.
            labels: Labels, tensors [batch, ...] by name.
            seed: Seed of the model's random ops, int32 [2].
        """


@dataclass(frozen=True)
class Stepped:
    """Results of an update.

    Args:
        measured: Loss and metrics of the batch, of the variables before the update.
        untrained: Names of the variables that no loss depends on.
        added_losses: Names of the losses on the side that were added to the model's own.
    """

    measured: Measured
    untrained: tuple[str, ...] = ()
    added_losses: tuple[str, ...] = ()


class LossStep:
    """Update by the losses that the model returns; make it while the graph is open.

    Args:
        calls: Calls of the model, made with ``training=True``.
        metrics: Metrics of the model.
        side_losses: Losses that the model adds beside its own.
        updates: Update of all parts of the variables.
    """

    def __init__(self, calls: ModelCalls, metrics: ModelMetrics, side_losses: SideLosses, updates: Updates) -> None:
        self._calls = calls
        self._metrics = metrics
        self._side_losses = side_losses
        self._updates = updates
        self._graph = v1.get_default_graph()

    def __call__(self, inputs: Tensors, labels: Tensors, seed: Any) -> Stepped:
        """Adds the update; measures the first forward pass."""
        outputs, own, losses, added = self._forward(inputs, labels, seed)
        examples = self._calls.varying_examples(inputs)
        measured = self._metrics.measure(outputs, labels, replace(own, value=losses.total), examples)
        untrained = self._updates(losses, lambda: self._forward(inputs, labels, seed)[2])
        return Stepped(measured, untrained, added)

    def _forward(
        self, inputs: Tensors, labels: Tensors, seed: Any
    ) -> tuple[Tensors, Loss, StepLosses, tuple[str, ...]]:
        with no_new_variables(self._calls.model, self._graph), self._side_losses.collected() as found:
            outputs = self._calls.outputs(inputs, training=True, seed=seed, labels=labels)
            own = self._calls.loss(outputs, labels)
        total, added = with_side_losses(own.value, found)
        beside = [(name, loss) for name, loss in found if name in added]
        named = {name: with_side_losses(part.value, beside)[0] for name, part in own.parts.items()}
        return outputs, own, StepLosses(total, named), added


@contextlib.contextmanager
def no_new_variables(model: Any, graph: Any, optimizers: Sequence[OptimizerStep] = ()) -> Iterator[None]:
    """Refuses a call of a model in training that makes variables, which would not be trained.

    Args:
        model: Model, for the message.
        graph: Graph of the run.
        optimizers: Optimizers that the call uses, which may make slots.
    """
    known = set(variables_by_name(graph))
    yield
    of_optimizers = {name for each in optimizers for name in each.made}
    if late := sorted(set(variables_by_name(graph)) - known - of_optimizers):
        raise RequestError(
            f"{type(model).__name__} makes variables when called with training=True ({', '.join(late[:3])}); they "
            "would not be trained: make layers and variables once, in the constructor"
        )
