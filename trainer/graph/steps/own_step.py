"""Training step of a model's own: what a batch does to the variables, with optimizers by name."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.forward.metrics import ModelMetrics
from trainer.graph.forward.model_calls import ModelCalls
from trainer.graph.losses.losses import LOSS, Loss, as_tensors, loss_of
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.graph.losses.side_losses import SideLosses
from trainer.graph.ops.dependencies import ancestors
from trainer.graph.optimizers.optimizer_parts import BoundOptimizers
from trainer.graph.optimizers.step_optimizers import StepOptimizers
from trainer.graph.steps.step_bodies import Stepped, no_new_variables
from trainer.model import Tensors

v1 = tf.compat.v1
log = logging.getLogger(__name__)

METHOD = "train_step"
FORM = "train_step(self, inputs, labels, optimizers), with seed, step and sample_weight where it needs them"

LEFT_OUT = "left out by %s.train_step, though the model adds them beside its losses: %s; add them to a loss"


def has_own_step(model: Any) -> bool:
    """Returns whether a model has a training step of its own, apart from that which Keras gives its models."""
    method = getattr(type(model), METHOD, None)
    return callable(method) and not str(getattr(method, "__module__", None)).startswith("keras.")


class OwnStep:
    """Update by a model's own training step; make it while the graph is open.

    Args:
        calls: Calls of the model.
        metrics: Metrics of the model.
        side_losses: Losses that the model adds beside its own.
        optimizers: Optimizers bound to their variables.
        global_step: Variable of the number of updates, int64 scalar.

    Raises:
        RequestError: The method takes something else, or an optimizer has settings that the step decides.
    """

    def __init__(
        self,
        calls: ModelCalls,
        metrics: ModelMetrics,
        side_losses: SideLosses,
        optimizers: BoundOptimizers,
        global_step: Any,
    ) -> None:
        self._calls = calls
        self._metrics = metrics
        self._returned = metrics.of(METHOD)
        self._side_losses = side_losses
        self._parts = optimizers.parts
        self._global_step = global_step
        self._name = type(calls.model).__name__
        self._graph = v1.get_default_graph()
        self._is_said = False
        parameters = list(inspect.signature(getattr(calls.model, METHOD)).parameters)
        if len(parameters) < 3 or not set(parameters[3:]) <= {"seed", "step", "sample_weight"}:
            raise RequestError(f"{self._name}.train_step takes ({', '.join(parameters)}); it must be {FORM}")
        for part in self._parts:
            if part.loss is not None or part.every_n_steps != 1 or optimizers.in_turn:
                raise RequestError(
                    f"{self._name}.train_step decides what each optimizer lowers, when and in which order; leave out "
                    "loss, every_n_steps and in_turn of the optimizers",
                    argument=f"optimizer.parts.{part.name}",
                )

    def __call__(self, inputs: Tensors, labels: Tensors, seed: Any) -> Stepped:
        """Adds the update to the ``tf.function`` that is being traced."""
        optimizers = StepOptimizers(self._parts)
        step = self._global_step.read_value()
        steps = [part.step for part in self._parts]
        with no_new_variables(self._calls.model, self._graph, steps), self._side_losses.collected() as found:
            returned = dict(self._calls.own_step(inputs, labels, optimizers, seed=seed, step=step))
        if LOSS not in returned:
            raise RequestError(
                f"{self._name}.train_step returned no 'loss' ({', '.join(returned)}); add the one to watch, such as "
                "the sum of all"
            )
        before = set(v1.get_default_graph().get_operations())
        loss = loss_of(f"{self._name}.train_step", as_tensors(returned.pop(LOSS)), before, set())
        measured = self._returned.measure_own(loss, returned, self._calls.varying_examples(inputs))
        reached = {name for each in optimizers.values() for name in each.reached}
        if not reached:
            raise RequestError(
                f"{self._name}.train_step updates no variable; call optimizers[NAME].minimize(loss), with NAME from: "
                f"{', '.join(optimizers)}"
            )
        self._tell_what_is_left_out(optimizers, found)
        self._global_step.assign_add(1)
        trained = [variable.op.name for part in self._parts for variable in part.step.variables]
        return Stepped(measured, tuple(name for name in trained if name not in reached))

    def evaluated(self, inputs: Tensors, labels: Tensors) -> MetricColumns:
        """Returns the columns of an evaluation: it reports ``loss`` and ``metrics``, not what the step returns."""
        columns = []

        def trace(inputs: Tensors, labels: Tensors) -> Any:
            with self._side_losses.collected():
                outputs = self._calls.outputs(inputs, training=False, seed=tf.zeros([2], tf.int32))
                own: Loss = self._calls.loss(outputs, labels)
            measured = self._metrics.measure(outputs, labels, own, self._calls.varying_examples(inputs))
            columns.append(measured.columns)
            return measured.row

        tf.function(trace, autograph=False).get_concrete_function(inputs, labels)
        return columns[-1]

    def _tell_what_is_left_out(self, optimizers: StepOptimizers, found: Sequence[tuple[str, Any]]) -> None:
        lowered = [each.lowered for each in optimizers.values()]
        if self._is_said or None in lowered:
            return
        contained = ancestors([loss for losses in lowered for loss in losses or ()])
        if left := [name for name, loss in found if loss.op not in contained]:
            self._is_said = True
            log.warning(LEFT_OUT, self._name, ", ".join(dict.fromkeys(left)))
