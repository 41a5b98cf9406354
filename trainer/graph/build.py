"""The one place where the graph is made: inference and training parts over the same variables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError, describe
from trainer.graph.compile_rule import Mode, choose
from trainer.graph.data_source import DataSource
from trainer.graph.feeds import ArrayFeed, Feed, Skips
from trainer.graph.inference import Inference, build_inference, place_of
from trainer.graph.optimizers import applier, rate_variable
from trainer.graph.random_ops import stateful_random_ops
from trainer.graph.rollback import RollbackVariables, make_variables
from trainer.graph.train_step import UpdateRule, add_compiled_steps, add_steps, add_train_step
from trainer.graph.trainable import trainable_variables
from trainer.graph.variables import make_restorer, make_saver, variables_by_name
from trainer.model import Model

v1 = tf.compat.v1
log = logging.getLogger(__name__)

MakeOptimizer = Callable[[Any, Any], Any]
"""Given the global step and the scale of the learning rate (or None), returns an optimizer."""

MAX_GATHERED_BYTES = 16 * 2**20
"""A compiled call holds all its batches at once; this bounds them: many times as much was slower."""

MAX_STEPS = 4000
"""Steps in a compiled call; what surrounds a call was a tenth of the time of a thousand of the smallest."""

MAX_PLAIN_STEPS = 10_000
"""Steps in a call that is not compiled; it bounds the memory of their metrics."""


STATEFUL_RANDOM = (
    "the model's op {name} draws from a state that no checkpoint holds: a resumed run draws other numbers than an "
    "uninterrupted one; take a parameter seed in __call__ and use tf.random.stateless_*"
)


@dataclass(frozen=True)
class GraphContext:
    """The open graph, as callbacks see it in ``on_build``.

    Args:
        graph: the default graph at that time.
        model: for ops of one's own, over the same variables.
        inference: placeholders, outputs, loss.
        source: specs, batch size, validation part, an example batch.
        global_step: int64 variable.
        metric_names: what each step reports, ``loss`` first.
        saver: a ``tf.compat.v1.train.Saver`` of all that a resume needs.
        restorer: a Saver of what is restored: without what a rollback sets, which ``run.json`` has.
        seed: of the run.
        mode: how the steps are compiled.
        model_variables: by name, without the global step and what belongs to the optimizer.
        learning_rate: the variable of a constant rate, or None.
        rollback: what a rollback sets, or None in a graph that knows none.
        reported_metrics: those of an epoch: of the steps and of the callbacks.
    """

    graph: Any
    model: Model
    inference: Inference
    source: DataSource
    global_step: Any
    metric_names: tuple[str, ...]
    saver: Any
    restorer: Any
    seed: int
    mode: Mode
    model_variables: Mapping[str, Any]
    learning_rate: Any = None
    rollback: RollbackVariables | None = None
    reported_metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphBuilder:
    """A graph that lacks the callbacks' ops and, after them, the steps.

    Args:
        context: what callbacks see.
        update: one update on a batch.
        feed: gives the batches.
    """

    context: GraphContext
    update: UpdateRule
    feed: Feed


@dataclass(frozen=True)
class FusedSteps:
    """A way to run many steps in one call.

    Args:
        count: placeholder of the number of steps in a call.
        metrics: what a call returns, float32 [steps, metrics].
        waited: the seconds of the call that were waited for batches, float64.
        global_step: what the graph has counted after the call, int64.
        max_steps: the most steps in a call.
    """

    count: Any
    metrics: Any
    waited: Any
    global_step: Any
    max_steps: int


@dataclass(frozen=True)
class TrainingGraph:
    """The whole graph of a run, with the handles to open and step it.

    Args:
        context: what callbacks saw.
        feed: to be filled when a session opens.
        initialise: the op that gives each global variable its initial value.
        initialise_tables: the op that fills the model's look-up tables.
        plain: the steps as they are.
        compiled: the steps compiled by XLA, in a graph whose mode may want them.
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
    with_rollback: bool = False,
    trainable: Sequence[str] | None = None,
) -> GraphBuilder:
    """Builds everything but the callbacks' ops and the steps.

    Args:
        make_model: called while the graph is open.
        make_optimizer: the same, given the global step and the scale of the learning rate.
        source: of the data.
        seed: of initial values, of the order of the data and of random ops.
        compile_setting: ``auto``, ``off``, ``xla`` or ``measure``.
        with_rollback: whether a batch may be left out and the rate lowered later on.
        trainable: patterns of the variables to train, or None for all.

    Raises:
        RequestError: model, optimizer and data do not fit together.
    """
    # Keras numbers its layers over all graphs of a process; a second run must get the same names.
    keras.utils.clear_session()
    graph = tf.Graph()
    with graph.as_default():
        keras.utils.set_random_seed(seed)
        global_step = v1.train.get_or_create_global_step()
        model = _made("model", make_model)
        inference = build_inference(model, source.inputs, source.labels)
        model_variables = {name: v for name, v in variables_by_name(graph).items() if v is not global_step}
        variables = trainable_variables(model, trainable)
        rollback = make_variables() if with_rollback else None
        scale = rollback.rate_scale if rollback else None
        optimizer = _made("optimizer", lambda: make_optimizer(global_step, scale))
        apply = applier(optimizer, variables)
        update = UpdateRule(model, apply, variables, global_step, seed)
        add_train_step(update, inference.inputs, inference.labels)
        _warn_of_surprises(update, graph)
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
            metric_names=update.metric_names,
            saver=saver,
            restorer=make_restorer() if rollback else saver,
            seed=seed,
            mode=mode,
            model_variables=model_variables,
            learning_rate=rate_variable(optimizer),
            rollback=rollback,
        )
        return GraphBuilder(context, update, feed)


def _warn_of_surprises(update: UpdateRule, graph: Any) -> None:
    if update.untrained:
        log.warning("not reached by the loss, so not trained: %s", ", ".join(update.untrained))
    for name in stateful_random_ops(graph.as_graph_def().library.function):
        log.warning("%s", STATEFUL_RANDOM.format(name=name))


def add_calls(opened: GraphBuilder, longest_call: int, run_steps: int) -> TrainingGraph:
    """Adds the steps to the default graph, as the last of its ops.

    Args:
        opened: with the callbacks' ops added.
        longest_call: the most steps between two points at which a callback is due.
        run_steps: the updates of the whole run.
    """
    context, update, feed = opened.context, opened.update, opened.feed
    columns = len(context.metric_names)
    gathered = feed if isinstance(feed, ArrayFeed) and context.mode.name != "off" else None
    max_steps = min(longest_call, MAX_PLAIN_STEPS)
    if gathered is not None:
        max_steps = max(1, min(longest_call, MAX_STEPS, MAX_GATHERED_BYTES // max(gathered.batch_bytes, 1)))

    def order(count: int) -> Any:
        return feed.plan(context.global_step.read_value(), count, run_steps)

    # Beside compiled steps the plain ones are for a graph that XLA turns out not to compile.
    plain = _fused_steps(context.global_step, max_steps, *add_steps(update, columns, feed, order, max_steps))
    compiled = None
    if gathered is not None:
        steps = add_compiled_steps(update, columns, gathered, order, max_steps)
        compiled = _fused_steps(context.global_step, max_steps, *steps)
    initialise = v1.global_variables_initializer(), v1.tables_initializer()
    return TrainingGraph(context, feed, *initialise, plain, compiled)


def _fused_steps(global_step: Any, max_steps: int, count: Any, metrics: Any, waited: Any) -> FusedSteps:
    with tf.control_dependencies([metrics]):
        return FusedSteps(count, metrics, waited, global_step.read_value(), max_steps)


def _made(what: str, make: Callable[[], Any]) -> Any:
    """Calls a constructor and names what it should have made where it raises."""
    try:
        return make()
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(f"{what} cannot be made: {describe(error)}{place_of(error)}", argument=what) from error


def function_op_types(graph: Any) -> set[str]:
    """Returns the types of the ops inside the functions of a graph."""
    return {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
