"""Sessions keep the settings of the process, whatever they rewrite."""

from __future__ import annotations

from tests.processes import python

PROGRAM = """
import tensorflow as tf
from trainer.graph.compiling.session_config import MAX_REWRITTEN_OPS, session_as_is, session_config
from trainer.tensorflow_import import SessionSettings, import_tensorflow
import_tensorflow(SessionSettings(intra_op_threads=1, inter_op_threads=3))
for ops in (1, MAX_REWRITTEN_OPS + 1):
    config = session_config(ops)
    print(config.allow_soft_placement, config.intra_op_parallelism_threads, config.inter_op_parallelism_threads)
    print(config.graph_options.place_pruned_graph)
with tf.Graph().as_default() as graph:
    with tf.device("/device:GPU:7"):
        one = tf.constant(1)
    with session_as_is(graph) as session:
        print(session.run(one))
"""


def test_small_and_large_graphs_have_the_threads_and_the_placement_of_the_process(tmp_path) -> None:
    done = python("-c", PROGRAM, cwd=tmp_path)
    assert done.stdout.split("\n")[:-1] == ["True 1 3", "False", "True 1 3", "True", "1"], done.stderr
