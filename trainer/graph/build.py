"""Construction of the training graph: inference and training parts over the same variables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError, describe, place_in
from trainer.graph.compile_rule import Mode, choose
from trainer.graph.data_source import DataSource
from trainer.graph.devices import building
from trainer.graph.feeds import ArrayFeed, Feed, Skips
from trainer.graph.inference import Inference, build_inference
from trainer.graph.metric_columns import MetricColumns
from trainer.graph.metrics import ModelMetrics
from trainer.graph.optimizer_names import stable_names
from trainer.graph.optimizers import applier, rate_variable
from trainer.graph.random_ops import line_of, stateful_random_ops
from trainer.graph.rollback import RollbackVariables, make_variables
from trainer.graph.train_step import UpdateRule, add_compiled_steps, add_steps, add_train_step
from trainer.graph.trainable import trainable_variables
from trainer.graph.variables import make_restorer, make_saver, variables_by_name
from trainer.model import Model

v1 = tf.compat.v1
log = logging.getLogger(__name__)

MakeOptimizer = Callable[[Any, Any], Any]
"""Returns an optimizer, given the global step and the scale of the learning rate (or None)."""

MAX_GATHERED_BYTES = 16 * 2**20
"""Upper bound on the bytes gathered for a compiled call; values many times larger were slower."""

MAX_STEPS = 4000
"""Max steps in a compiled call; at 1,000 steps of the smallest model, call overhead was 10 % of the time."""

MAX_PLAIN_STEPS = 10_000
"""Max steps in a call that is not compiled; bounds the memory of their metrics."""

STATEFUL_RANDOM = (
    "the model's op {name} keeps its random state outside the checkpoint, so a resumed run draws other numbers than an "
    "uninterrupted one; add a parameter seed to __call__ and use tf.random.stateless_*"
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
        model: Model, for additional ops over the same variables.
        inference: Placeholders, outputs and loss of the inference part.
        source: Specs, batch size, validation part and example batch of the data.
        global_step: Variable of the number of updates, int64 scalar.
        metrics: Metrics of the model, for additional functions that compute them.
        columns: Columns of the metrics of each step.
        saver: ``tf.compat.v1.train.Saver`` of everything that a resume needs.
        restorer: ``Saver`` used on resume; excludes the rollback variables (kept in ``run.json``).
        seed: Seed of the run.
        mode: Compile mode of the steps.
        model_variables: Variables by name, without the global step, the state of metrics and the optimizer's variables.
        learning_rate: Variable of a constant learning rate, float32 scalar, or None.
        rollback: Variables used by rollback, or None in a graph without rollbacks.
        reported_metrics: Names of the metrics of an epoch, reported by the steps and the callbacks.
    """

    graph: Any
    model: Model
    inference: Inference
    source: DataSource
    global_step: Any
    metrics: ModelMetrics
    columns: MetricColumns
    saver: Any
    restorer: Any
    seed: int
    mode: Mode
    model_variables: Mapping[str, Any]
    learning_rate: Any = None
    rollback: RollbackVariables | None = None
    reported_metrics: tuple[str, ...] = ()

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
        feed: Feed that gives the batches.
    """

    context: GraphContext
    update: UpdateRule
    feed: Feed


@dataclass(frozen=True)
class FusedSteps:
    """Ops that run many steps in one call.

    Args:
        count: Placeholder of the number of steps in a call, int32 scalar.
        metrics: Metrics of each step of a call, float32 [steps, metrics].
        waited: Seconds of a call spent waiting for batches, float64 scalar.
        global_step: Global step after a call, int64 scalar.
        max_steps: Maximum number of steps in a call.
    """

    count: Any
    metrics: Any
    waited: Any
    global_step: Any
    max_steps: int


@dataclass(frozen=True)
class TrainingGraph:
    """Finished graph of a run, with the ops to initialise and step it.

    Args:
        context: View of the graph that callbacks got.
        feed: Feed to initialise when a session opens.
        initialise: Op that sets all global variables to their initial values.
        initialise_tables: Op that fills the model's look-up tables.
        plain: Steps without XLA.
        compiled: Steps compiled by XLA, or None where the mode excludes them.
    """

    context: GraphContext
    feed: Feed
    initialise: Any
    initialise_tables: Any
    plain: FusedSteps
    compiled: FusedSteps | None


def open_graph(
    make_model: Callable[[], Model],
    make_optimizer: MakeOptimizer,
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
        make_optimizer: Function that makes the optimizer; called while the graph is open.
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
    keras.utils.clear_session()
    graph = tf.Graph()
    with building(graph):
        keras.utils.set_random_seed(seed)
        global_step = v1.train.get_or_create_global_step()
        model = _made("model", make_model)
        inference = build_inference(model, source.inputs, source.labels)
        metrics = ModelMetrics(model, inference.outputs, inference.labels)
        no_weights = {global_step.op.name, *metrics.state.names}
        model_variables = {name: v for name, v in variables_by_name(graph).items() if name not in no_weights}
        variables = [each for each in trainable_variables(model, trainable) if each.op.name not in no_weights]
        rollback = make_variables() if with_rollback else None
        scale = rollback.rate_scale if rollback else None
        with stable_names():
            optimizer = _made("optimizer", lambda: make_optimizer(global_step, scale))
            apply = applier(optimizer, variables)
        update = UpdateRule(model, metrics, apply, variables, global_step, steps_per_epoch, seed)
        add_train_step(update, inference.inputs, inference.labels)
        _warn_of_surprises(update, inference, graph)
        feed = source.make_feed(seed, Skips(rollback.skipped_steps if rollback else None))
        mode = choose(
            compile_setting,
            function_op_types(graph),
            sum(variable.shape.num_elements() for variable in variables),
            in_memory=isinstance(feed, ArrayFeed),
        )
        saver = make_saver()
        context = GraphContext(
            graph=graph,
            model=model,
            inference=inference,
            source=source,
            global_step=global_step,
            metrics=metrics,
            columns=update.columns,
            saver=saver,
            restorer=make_restorer() if rollback else saver,
            seed=seed,
            mode=mode,
            model_variables=model_variables,
            learning_rate=rate_variable(optimizer),
            rollback=rollback,
        )
        return GraphBuilder(context, update, feed)


def _warn_of_surprises(update: UpdateRule, inference: Inference, graph: Any) -> None:
    if update.untrained:
        log.warning("not trained, because the loss does not depend on them: %s", ", ".join(update.untrained))
    for name, op_type in {"loss": inference.curved, **update.curved}.items():
        if op_type:
            log.warning("%s", NO_MEAN.format(name=name, op_type=op_type))
    inferred = [each.op for each in (*inference.outputs.values(), inference.loss)]
    random_ops = stateful_random_ops(graph, [graph.get_operation_by_name("train_step"), *inferred])
    for name in {f"{op.name}{line_of(op.traceback)}": op for op in random_ops}:
        log.warning("%s", STATEFUL_RANDOM.format(name=name))


def add_calls(opened: GraphBuilder, longest_call: int, run_steps: int) -> TrainingGraph:
    """Adds the steps to the default graph, after all other ops.

    Args:
        opened: Graph to which the callbacks' ops have been added.
        longest_call: Maximum number of steps between two points at which a callback is due.
        run_steps: Total number of steps of the run.
    """
    context, update, feed = opened.context, opened.update, opened.feed
    columns = len(context.columns.all)
    gathered = feed if isinstance(feed, ArrayFeed) and context.mode.name != "off" else None
    max_steps = min(longest_call, MAX_PLAIN_STEPS)
    if gathered is not None:
        max_steps = max(1, min(longest_call, MAX_STEPS, MAX_GATHERED_BYTES // max(gathered.batch_bytes, 1)))

    def batch_indices(count: int) -> Any:
        return feed.batch_indices(context.global_step.read_value(), count, run_steps)

    # The plain steps are also needed beside compiled ones, in case XLA cannot compile the graph.
    plain = _fused_steps(context.global_step, max_steps, *add_steps(update, columns, feed, batch_indices, max_steps))
    compiled = None
    if gathered is not None:
        steps = add_compiled_steps(update, columns, gathered, batch_indices, max_steps)
        compiled = _fused_steps(context.global_step, max_steps, *steps)
    initialise = v1.global_variables_initializer(), v1.tables_initializer()
    return TrainingGraph(context, feed, *initialise, plain, compiled)


def _fused_steps(global_step: Any, max_steps: int, count: Any, metrics: Any, waited: Any) -> FusedSteps:
    with tf.control_dependencies([metrics]):
        return FusedSteps(count, metrics, waited, global_step.read_value(), max_steps)


def _made(argument: str, make: Callable[[], Any]) -> Any:
    """Calls a constructor and re-raises its exceptions as RequestError with the name of the object."""
    try:
        return make()
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(
            f"{argument} cannot be made: {describe(error)}{place_in(error)}", argument=argument
        ) from error


def function_op_types(graph: Any) -> set[str]:
    """Returns the types of the ops in the functions of a graph."""
    return {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
