"""Variables of an exported graph, made by one import of all their ops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

v1 = tf.compat.v1


def like(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Makes resource variables in the default graph, with the dtypes and shapes of others; their values are zeros.

    ``get_variable`` takes ten times longer, which is seconds for a net of some hundred variables.

    Args:
        variables: Variables by the names of the new ones.

    Example:
        >>> with tf.Graph().as_default():
        ...     there = v1.get_variable("w", [2, 3])
        >>> with tf.Graph().as_default():
        ...     own = like({"w": there})
        ...     own["w"].shape.as_list(), [each.name for each in v1.global_variables()]
        ([2, 3], ['w:0'])
    """
    graph_def = v1.GraphDef()
    graph_def.versions.CopyFrom(v1.get_default_graph().graph_def_versions)
    described = {name: _add_ops(graph_def, name, variable) for name, variable in variables.items()}
    tf.import_graph_def(graph_def, name="")
    own = {name: ResourceVariable.from_proto(each) for name, each in described.items()}
    for key in (v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.TRAINABLE_VARIABLES):
        for each in own.values():
            v1.add_to_collection(key, each)
    return own


def _add_ops(graph_def: Any, name: str, variable: Any) -> Any:
    """Adds the ops of a variable; returns what describes it in a ``.meta``."""
    dtype, shape = variable.dtype.base_dtype.as_datatype_enum, variable.shape.as_proto()

    def node(ending: str, op: str, *inputs: str) -> Any:
        added = graph_def.node.add(name=f"{name}{ending}", op=op, input=inputs)
        added.attr["dtype"].type = dtype
        return added

    handle = node("", "VarHandleOp")
    handle.attr["shape"].shape.CopyFrom(shape)
    handle.attr["shared_name"].s = name.encode()
    if variable.shape.is_fully_defined():
        initial = node("/Initializer/zeros", "Const")
        # A value without numbers is one of zeros, or of empty texts.
        initial.attr["value"].tensor.CopyFrom(TensorProto(dtype=dtype, tensor_shape=shape))
    else:
        # A variable of unknown shape takes that of the value that is loaded.
        initial = node("/any", "Placeholder")
        initial.attr["shape"].shape.CopyFrom(shape)
    assign = node("/Assign", "AssignVariableOp", name, initial.name)
    read = node("/Read/ReadVariableOp", "ReadVariableOp", name)
    return VariableDef(
        variable_name=f"{name}:0",
        initializer_name=assign.name,
        snapshot_name=f"{read.name}:0",
        initial_value_name=f"{initial.name}:0",
        is_resource=True,
        trainable=True,
    )
