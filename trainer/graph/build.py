"""Construction of the training graph: inference and training parts over the same variables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.graph.compiling.checked_functions import op_types
from trainer.graph.compiling.compile_rule import EXPLICIT, Mode, choose
from trainer.graph.data.data_source import DataSource
from trainer.graph.data.feeds import ArrayFeed, Feed, Skips
from trainer.graph.forward.inference import Inference
from trainer.graph.forward.metrics import ModelMetrics
from trainer.graph.forward.model_calls import ModelCalls
from trainer.graph.forward.model_parts import build_model_parts, made
from trainer.graph.forward.precision import clear_names
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.graph.losses.side_losses import SideLosses
from trainer.graph.ops.devices import building
from trainer.graph.ops.random_ops import frames_of, line_of, stateful_random_ops
from trainer.graph.ops.variables import elements, variables_by_name
from trainer.graph.optimizers.averages import Averages
from trainer.graph.optimizers.optimizer_names import stable_names
from trainer.graph.optimizers.optimizer_parts import BoundOptimizers
from trainer.graph.state.constructor_checks import check_not_run_again
from trainer.graph.state.constructor_values import ConstructorValues, given_by, in_order_of_creation
from trainer.graph.state.frozen_state import FrozenState, frozen_state
from trainer.graph.state.rollback import RollbackVariables, make_variables
from trainer.graph.state.run_savers import RunSavers
from trainer.graph.state.trainable import trainable_variables
from trainer.graph.steps.own_step import OwnStep, has_own_step
from trainer.graph.steps.own_train_op import OwnTrainOp, used_optimizer
from trainer.graph.steps.step_bodies import LossStep
from trainer.graph.steps.train_step import UpdateRule, add_train_step
from trainer.graph.steps.updates import Updates
from trainer.model import Model

v1 = tf.compat.v1
log = logging.getLogger(__name__)

MakeOptimizer = Callable[[Any, Any], Any]
"""Returns an optimizer or ``Optimizers``, given the global step and the scale of the learning rate (or None)."""

STATEFUL_RANDOM = (
    "the model's op {name} keeps its random state outside the checkpoint, so a resumed run draws other numbers than an "
    "uninterrupted one; add a parameter seed to __call__ and use tf.random.stateless_*"
)

STATE_IN_INFERENCE = (
    "inference changes variables (%s): exports and the inference part of the .meta start each call from their initial "
    "values, an evaluation goes on from the last ones; state=refuse of a callback that exports refuses such a model"
)

WRITTEN_WHOLE = (
    "%s reads and writes all of %s in each step, of which a batch touches a few rows; keras.optimizers.SGD without "
    "momentum and the optimizers of tf.compat.v1.train but Adam write these rows alone, tens of times as fast"
)

NO_MEAN = (
    "{name} is no mean over examples, because of {op_type}; over an epoch it is reported as the mean of "
    "its values in the batches: for that over all of them, return (numerator, denominator), or as a metric a "
    "keras.metrics object"
)


@dataclass(frozen=True)
class GraphContext:
    """View of the open graph that callbacks get in ``on_build``.

    Args:
        graph: ``tf.Graph`` of the run, the default graph during ``on_build``.
        calls: Calls of the model, for additional ops over the same variables.
        inference: Placeholders, outputs and loss of the inference part.
        source: Specs, batch size, validation part and example batch of the data.
        global_step: Variable of the number of updates, int64 scalar.
        metrics: Metrics of the model, for additional functions that compute them.
        columns: Columns of the metrics of each step.
        evaluated: Columns of the metrics of an evaluation; the same unless the model has a training step of its own.
        savers: Savers of the run; their ops are added when the first callback that saves asks for them.
        seed: Seed of the run.
        mode: Compile mode of the steps.
        model_variables: Variables by name, without the global step, the state of metrics and the optimizer's variables.
        given: Values that the constructors of model and optimizer give to variables.
        side_losses: Losses that the model adds beside its own, part of each loss that is reported.
        averages: Averages of the trained variables that the optimizer keeps, or None.
        skips_steps: Whether the optimizer leaves out a step whose gradients are not finite.
        learning_rates: Variables of the constant learning rates, float32 scalars.
        without_rate_variable: Optimizers whose learning rate is no variable, as words for a message.
        rollback: Variables used by rollback, or None in a graph without rollbacks.
        reported_metrics: Names of the metrics of an epoch, reported by the steps and the callbacks.
    """

    graph: Any
    calls: ModelCalls
    inference: Inference
    source: DataSource
    global_step: Any
    metrics: ModelMetrics
    columns: MetricColumns
    evaluated: MetricColumns
    savers: RunSavers
    seed: int
    mode: Mode
    model_variables: Mapping[str, Any]
    given: ConstructorValues
    side_losses: SideLosses
    averages: Averages | None = None
    skips_steps: bool = False
    learning_rates: tuple[Any, ...] = ()
    without_rate_variable: tuple[str, ...] = ()
    rollback: RollbackVariables | None = None
    reported_metrics: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        """Model of the run."""
        return self.calls.model

    @property
    def saver(self) -> Any:
        """``tf.compat.v1.train.Saver`` of everything that a resume needs, variables of callbacks included."""
        return self.savers.saver

    @property
    def restorer(self) -> Any:
        """``Saver`` used on resume; excludes the rollback variables (kept in ``run.json``)."""
        return self.savers.restorer

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics of each step, ``loss`` first."""
        return self.columns.names


@dataclass(frozen=True)
class GraphBuilder:
    """Unfinished graph, to which the callbacks' ops and then the steps are added.

    Args:
        context: View of the graph for callbacks.
        update: Rule that updates the variables on one batch.
        traced: Concrete function of the update, traced once for all that runs it without XLA.
        feed: Feed that gives the batches.
    """

    context: GraphContext
    update: UpdateRule
    traced: Any
    feed: Feed


def open_graph(
    make_model: Callable[[], Model],
    make_optimizer: MakeOptimizer | None,
    source: DataSource,
    seed: int,
    compile_setting: str,
    *,
    steps_per_epoch: int,
    with_rollback: bool = False,
    trainable: Sequence[str] | None = None,
) -> GraphBuilder:
    """Builds the graph except for the callbacks' ops and the steps.

    Args:
        make_model: Function that makes the model; called while the graph is open.
        make_optimizer: Function that makes the optimizer; called while the graph is open. None for a model that
            makes its own train op.
        source: Source of the data.
        seed: Seed of initial values, of the order of the data and of random ops.
        compile_setting: Setting ``auto``, ``off``, ``xla`` or ``measure``.
        steps_per_epoch: Number of updates after which the state of metrics is reset.
        with_rollback: Whether the graph gets variables to skip batches and lower the learning rate.
        trainable: Patterns of the names of the variables to train, or None for all.

    Raises:
        RequestError: Model, optimizer and data do not fit together.
    """
    # Keras numbers its layers across all graphs of a process; a second run must get the same names.
    clear_names()
    graph = tf.Graph()
    with building(graph):
        keras.utils.set_random_seed(seed)
        global_step = v1.train.get_or_create_global_step()
        parts = build_model_parts(make_model, source.inputs, source.labels, source.structure)
        model, inference = parts.model, parts.inference
        metrics = ModelMetrics(parts.calls, inference.outputs, inference.labels)
        no_weights = {global_step.op.name, *metrics.state.names, *parts.calls.only_in_training}
        model_variables = {name: v for name, v in variables_by_name(graph).items() if name not in no_weights}
        variables = [each for each in trainable_variables(model, trainable) if each.op.name not in no_weights]
        parts.calls.train_only([each.op.name for each in variables])
        rollback = make_variables() if with_rollback else None
        scale = rollback.rate_scale if rollback else None
        known = len(graph.get_operations())
        with stable_names():
            make = used_optimizer(parts.calls, make_optimizer, with_rollback=with_rollback)
            optimizer = made("optimizer", lambda: make(global_step, scale)) if make else None
            given = parts.given + in_order_of_creation(given_by(graph.get_operations()[known:], graph), graph)
            optimizers = BoundOptimizers(optimizer, model, variables, global_step) if make else None
        kept = FrozenState([]) if trainable is None else frozen_state(model, model_variables, variables)
        common = parts.calls, metrics, parts.side_losses
        own = OwnStep(*common, optimizers, global_step) if optimizers and has_own_step(model) else None
        by_loss = LossStep(*common, Updates(optimizers, global_step)) if optimizers else None
        body = own or by_loss or OwnTrainOp(*common, global_step)
        rates = optimizers.current_rates if optimizers else dict
        update = UpdateRule(body, metrics.state, kept, global_step, steps_per_epoch, seed, rates)
        traced = add_train_step(update, inference.inputs, inference.labels)
        check_not_run_again(parts.given_ops, [graph.get_operation_by_name("train_step")])
        averages = optimizers.averages() if optimizers else []
        _warn_of_surprises(update, inference, graph)
        _tell_what_is_added(update, kept, averages)
        for part in optimizers.parts if optimizers else ():
            if part.step.whole:
                log.info(WRITTEN_WHOLE, part.step.kind, first_few(part.step.whole))
        feed = source.make_feed(seed, Skips(rollback.skipped_steps if rollback else None))
        mode = choose(
            compile_setting,
            function_op_types(graph),
            sum(elements(variable) for variable in variables),
            in_memory=isinstance(feed, ArrayFeed),
            update_types=op_types(traced.graph) if compile_setting in EXPLICIT else None,
        )
        if compile_setting in EXPLICIT and mode.name == "off":
            log.warning("%s", mode.reason)
        context = GraphContext(
            graph=graph,
            calls=parts.calls,
            inference=inference,
            source=source,
            global_step=global_step,
            metrics=metrics,
            columns=update.columns,
            evaluated=own.evaluated(inference.inputs, inference.labels) if own else update.of_model,
            savers=RunSavers(with_rollback=with_rollback),
            seed=seed,
            mode=mode,
            model_variables=model_variables,
            given=given,
            side_losses=parts.side_losses,
            averages=Averages(averages) if averages else None,
            skips_steps=bool(optimizers and optimizers.skips_steps),
            learning_rates=optimizers.rate_variables if optimizers else (),
            without_rate_variable=optimizers.without_rate_variable if optimizers else ("the model's own train op",),
            rollback=rollback,
        )
        return GraphBuilder(context, update, traced, feed)


def _warn_of_surprises(update: UpdateRule, inference: Inference, graph: Any) -> None:
    if inference.state:
        log.warning(STATE_IN_INFERENCE, ", ".join(inference.state))
    if update.untrained:
        log.warning("not trained, because the loss does not depend on them: %s", ", ".join(update.untrained))
    for name, op_type in {**inference.curved, **update.curved}.items():
        log.warning("%s", NO_MEAN.format(name=name, op_type=op_type))
    inferred = [each.op for each in (*inference.outputs.values(), inference.loss)]
    random_ops = stateful_random_ops(graph, [graph.get_operation_by_name("train_step"), *inferred])
    for name in {f"{op.name}{line_of(frames_of(op))}": op for op in random_ops}:
        log.warning("%s", STATEFUL_RANDOM.format(name=name))


def _tell_what_is_added(update: UpdateRule, kept: FrozenState, averages: Sequence[Any]) -> None:
    if update.added_losses:
        log.info("added to the model's own loss, as keras.Model.fit does: %s", first_few(update.added_losses))
    if kept.kept:
        log.info("kept as they are, though the model assigns them in training: %s", first_few(kept.kept))
    if averages:
        log.info("evaluations and exports use the averages of %d variables that the optimizer keeps", len(averages))


def first_few(names: Sequence[str], limit: int = 5) -> str:
    """Returns names for a message.

    Example:
        >>> first_few(["a", "b", "c"], limit=2)
        'a, b and 1 more'
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def function_op_types(graph: Any) -> set[str]:
    """Returns the types of the ops in the functions of a graph."""
    return {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
