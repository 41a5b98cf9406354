"""Graph of a run as its ``.meta`` stores it: to restore, to run, to train on, and without values of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.variable_pb2 import VariableDef

from trainer.graphdef import averages
from trainer.graphdef.removal import needed_only_by, remove
from trainer.graphdef.traverse import downstream, reads_of

v1 = tf.compat.v1

# Collections that a MetaGraphDef can hold; others (iterators, Keras objects) only bring warnings.
VARIABLES = (v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.TRAINABLE_VARIABLES)
TABLES = (v1.GraphKeys.TABLE_INITIALIZERS, v1.GraphKeys.ASSET_FILEPATHS)
META_COLLECTIONS = (*VARIABLES, *TABLES, v1.GraphKeys.GLOBAL_STEP, averages.COLLECTION)

LARGE_BYTES = 2**16
"""Constants from this size on are left out where only initialisers need them."""


def stored_graph(saver: Any, signatures: Mapping[str, Any], constructor_ops: Collection[str]) -> Any:
    """Returns the MetaGraphDef of the default graph.

    Args:
        saver: Saver that restores it.
        signatures: SignatureDefs by key.
        constructor_ops: Names of the ops that give variables the values from a constructor; they are left out, with
            all that only they need, since a checkpoint has the variables.
    """
    meta = saver.export_meta_graph(collection_list=META_COLLECTIONS)
    for key, signature in signatures.items():
        meta.signature_def[key].CopyFrom(signature)
    if constructor_ops:
        # Importing a variable looks up what it names.
        named = [(v.initial_value_name, v.initializer_name, v.snapshot_name) for v in _variables(meta)]
        remove(meta.graph_def, constructor_ops, kept=[name for names in named for name in names if name])
    leave_out_large_initial_values(meta.graph_def, [v.initializer_name for v in _variables(meta)])
    return meta


def _variables(meta: Any) -> list[Any]:
    stored = [meta.collection_def[key].bytes_list.value for key in VARIABLES if key in meta.collection_def]
    return [VariableDef.FromString(value) for values in stored for value in values]


def leave_out_large_initial_values(graph_def: Any, initializers: Collection[str]) -> None:
    """Replaces large constants that only initialisers need by placeholders: a checkpoint has the variables.

    The graph can be imported and restored as before; an initialiser that lacks its value says so when it is run.

    Args:
        graph_def: GraphDef to change.
        initializers: Names of the ops that initialise variables.
    """
    large = [node for node in graph_def.node if node.op == "Const" and node.ByteSize() >= LARGE_BYTES]
    if not large:
        return
    reads = reads_of(graph_def)
    only_initial = needed_only_by(reads, downstream(reads, initializers))
    for node in large:
        if node.name in only_initial:
            shape = node.attr["value"].tensor.tensor_shape
            node.op = "Placeholder"
            node.attr["shape"].shape.CopyFrom(shape)
            del node.attr["value"]
