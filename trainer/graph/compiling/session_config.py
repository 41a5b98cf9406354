"""Configurations of sessions: which graphs TensorFlow rewrites before it runs them.

TensorFlow rewrites the graph for each new set of fetches (Grappler): folded constants, merged ops, pruned
branches. That costs up to a millisecond for each op of the graph, functions and ops that the fetches do not need
included. It takes a fifth off the overhead of each op in every step, which only steps of small ops show.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

v1 = tf.compat.v1

MAX_REWRITTEN_OPS = 1_500
"""Max ops in an update whose graph is rewritten.

Measured, rewritten against as it is: dense layers 110 and 170 us a step of 200 ops, an LSTM 5.7 and 6.9 ms of 465;
a transformer of 2,210 ops and MobileNetV2 of 6,443 took as long both ways, and started 1.5 and 5 s later.
"""


def session_config(update_ops: int) -> Any:
    """Returns the ``ConfigProto`` of the session of a run.

    Args:
        update_ops: Number of ops in an update, those of its functions included.

    Example:
        >>> session_config(200).graph_options.place_pruned_graph
        False
        >>> session_config(5_000).graph_options.place_pruned_graph
        True
    """
    config = _config_of_the_process()
    if update_ops > MAX_REWRITTEN_OPS:
        # Each call then places what it needs and nothing else, with the functions in the place of their calls.
        options = config.graph_options
        options.place_pruned_graph = True
        options.rewrite_options.disable_meta_optimizer = True
        options.optimizer_options.do_function_inlining = True
    return config


def _config_of_the_process() -> Any:
    """Returns a copy of the config of sessions that are given none: soft placement, threads, memory of GPUs."""
    config = v1.ConfigProto()
    config.CopyFrom(context.context().config)
    return config


def session_as_is(graph: Any) -> Any:
    """Returns a session without graph rewriting: rewriting takes longer than running one batch."""
    config = _config_of_the_process()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = v1.OptimizerOptions.L0
    return v1.Session(graph=graph, config=config)
