"""Calls into the graph: many updates at once, plain and compiled by XLA, as a session runs them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from trainer.graph.build import GraphBuilder, GraphContext
from trainer.graph.compiling.checked_functions import needs_checks
from trainer.graph.compiling.compile_rule import without_xla
from trainer.graph.compiling.range_checks import UncheckableError
from trainer.graph.data.feeds import ArrayFeed, Feed
from trainer.graph.steps.train_step import add_compiled_steps, add_steps

v1 = tf.compat.v1
log = logging.getLogger(__name__)

MAX_GATHERED_BYTES = 16 * 2**20
"""Upper bound on the bytes gathered for a compiled call; values many times larger were slower."""

MAX_STEPS = 4000
"""Max steps in a compiled call; at 1,000 steps of the smallest model, call overhead was 10 % of the time."""

MAX_PLAIN_STEPS = 10_000
"""Max steps in a call that is not compiled; bounds the memory of their metrics."""


@dataclass(frozen=True)
class FusedSteps:
    """Ops that run many steps in one call.

    Args:
        count: Placeholder of the number of steps in a call, int32 scalar.
        metrics: Metrics of each step of a call, float32 [steps, metrics].
        waited: Seconds of a call spent waiting for batches, float64 scalar.
        global_step: Global step after a call, int64 scalar.
        max_steps: Maximum number of steps in a call.
        completed: Number of steps of a call whose checks hold, int32 scalar; None where every step checks itself.
    """

    count: Any
    metrics: Any
    waited: Any
    global_step: Any
    max_steps: int
    completed: Any = None


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
        update_graph: ``FuncGraph`` of one update on the inputs and labels of the inference part.
    """

    context: GraphContext
    feed: Feed
    initialise: Any
    initialise_tables: Any
    plain: FusedSteps
    compiled: FusedSteps | None
    update_graph: Any


def add_calls(opened: GraphBuilder, longest_call: int, run_steps: int) -> TrainingGraph:
    """Adds the steps to the default graph, after all other ops.

    Args:
        opened: Graph to which the callbacks' ops have been added.
        longest_call: Maximum number of steps between two points at which a callback is due.
        run_steps: Total number of steps of the run.
    """
    context, traced, feed = opened.context, opened.traced, opened.feed
    columns = len(context.columns.all)
    gathered = feed if isinstance(feed, ArrayFeed) and context.mode.name != "off" else None
    max_steps = min(longest_call, MAX_PLAIN_STEPS)
    if gathered is not None:
        max_steps = max(1, min(longest_call, MAX_STEPS, MAX_GATHERED_BYTES // max(gathered.batch_bytes, 1)))

    def batch_indices(count: int) -> Any:
        return feed.batch_indices(context.global_step.read_value(), count, run_steps)

    # The plain steps are also needed beside compiled ones, in case XLA cannot compile the graph.
    plain = _fused_steps(context.global_step, max_steps, *add_steps(traced, columns, feed, batch_indices, max_steps))
    compiled = None
    if gathered is not None:
        checked = needs_checks(traced.graph)
        try:
            steps = add_compiled_steps(opened.traced, columns, gathered, batch_indices, max_steps, checked=checked)
            compiled = _fused_steps(context.global_step, max_steps, *steps)
        except UncheckableError as error:
            context = replace(context, mode=without_xla(str(error)))
            log.warning("%s", context.mode.reason)
    initialise = v1.global_variables_initializer(), v1.tables_initializer()
    return TrainingGraph(context, feed, *initialise, plain, compiled, traced.graph)


def _fused_steps(
    global_step: Any, max_steps: int, count: Any, metrics: Any, waited: Any, completed: Any = None
) -> FusedSteps:
    with tf.control_dependencies([metrics]):
        return FusedSteps(count, metrics, waited, global_step.read_value(), max_steps, completed)
