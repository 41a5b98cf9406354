"""Names of variables in a checkpoint of objects (``tf.train.Checkpoint``, Keras of TensorFlow 2); no TensorFlow.

Its keys are paths through the objects, such as ``model/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE``. One
more entry is the graph of these objects, which has the variables' own names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from google.protobuf.message import DecodeError

from trainer.graphdef.protos import trackable_pb2

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""Key of the graph of objects."""

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""End of the key of a variable."""

OF_OPTIMIZER = re.compile(r"/\.OPTIMIZER_SLOT/|(^|/)_?optimizer/(?!_trainable_variables/)")
"""Part of the keys of an optimizer's variables; one of Keras 3 lists those that it trains as well."""


def keys_by_name(content: bytes, stored: Collection[str]) -> dict[str, set[str]]:
    """Returns the keys of the variables by their own names, and by paths through the objects where they have none.

    Where the graph is damaged, all are named by their paths.

    Args:
        content: Value of ``OBJECT_GRAPH``.
        stored: Keys in the checkpoint.

    Returns:
        Sets of keys: a variable may be reached in several ways, and two may have one name.
    """
    try:
        nodes = trackable_pb2.TrackableObjectGraph.FromString(content).nodes
    except DecodeError:
        return {path_of(key): {key} for key in stored if key.endswith(VALUE)}
    found = defaultdict(set)
    for node in nodes:
        for each in node.attributes:
            if each.checkpoint_key.endswith(VALUE) and each.checkpoint_key in stored:
                found[each.full_name.removesuffix(":0") or path_of(each.checkpoint_key)].add(each.checkpoint_key)
    return dict(found)


def names_by_key(content: bytes, stored: Collection[str]) -> dict[str, str]:
    """Returns a readable name, each another one, for each variable: its own name, or its path through the objects.

    Args:
        content: Value of ``OBJECT_GRAPH``.
        stored: Keys in the checkpoint.
    """
    found = keys_by_name(content, stored)
    own = {next(iter(keys)): name for name, keys in found.items() if len(keys) == 1}
    return {key: own.get(key, path_of(key)) for key in stored if key.endswith(VALUE)}


def path_of(key: str) -> str:
    """Returns the path through the objects of a variable's key.

    Example:
        >>> path_of("model/kernel/.ATTRIBUTES/VARIABLE_VALUE")
        'model/kernel'
    """
    return key.removesuffix(VALUE)
