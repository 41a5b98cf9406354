"""Graph of a run as its ``.meta`` stores it: to restore, to run, to train on, and without values of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.variable_pb2 import VariableDef

from trainer.graphdef.removal import remove

v1 = tf.compat.v1

# Collections that a MetaGraphDef can hold; others (iterators, Keras objects) only bring warnings.
VARIABLES = (v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.TRAINABLE_VARIABLES)
META_COLLECTIONS = (*VARIABLES, v1.GraphKeys.GLOBAL_STEP)


def stored_graph(saver: Any, graph: Any, signatures: Mapping[str, Any], constructor_ops: Collection[str]) -> Any:
    """Returns the MetaGraphDef of a graph.

    Args:
        saver: Saver that restores it.
        graph: Graph of the run.
        signatures: SignatureDefs by key.
        constructor_ops: Names of the ops that give variables the values from a constructor. They are left out with
            all that only they need: a checkpoint has the variables.
    """
    with graph.as_default():
        meta = saver.export_meta_graph(collection_list=META_COLLECTIONS)
    for key, signature in signatures.items():
        meta.signature_def[key].CopyFrom(signature)
    if constructor_ops:
        remove(meta.graph_def, constructor_ops, kept=_named_by_variables(meta))
    return meta


def _named_by_variables(meta: Any) -> set[str]:
    """Returns the tensors that the variables of a MetaGraphDef name, and that importing them looks up."""
    names = set()
    for key in VARIABLES:
        for value in meta.collection_def[key].bytes_list.value if key in meta.collection_def else ():
            variable = VariableDef.FromString(value)
            names |= {variable.initial_value_name, variable.initializer_name, variable.snapshot_name}
    return names - {""}
