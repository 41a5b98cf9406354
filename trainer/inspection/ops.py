"""Ops of an inference part with their inputs and types, as boxes and tables show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.graphdef.declared import Sizes, declared_type, element_count
from trainer.graphdef.op_types import VARIABLE_OPS
from trainer.graphdef.traverse import node_of
from trainer.inspection.static import StaticModel

Type = tuple[str, Sizes]
"""Name of a dtype, and the size of each axis."""


@dataclass(frozen=True)
class Op:
    """Op of a graph.

    Args:
        name: Name of the op.
        type: Type of the op.
        inputs: Names of the ops whose values it takes.
        dtype: Type of its first output; '?' if it is not known.
        sizes: Size of each axis of its first output, None for any; None for an unknown rank.
        has_output: Whether it has an output.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    dtype: str
    sizes: Sizes
    has_output: bool = True

    @property
    def is_parameter(self) -> bool:
        """True for a variable, or a floating constant, with at least one axis."""
        floating = "float" in self.dtype or self.dtype.startswith("complex")
        return bool(self.sizes) and (self.type in VARIABLE_OPS or (self.type == "Const" and floating))

    @property
    def size(self) -> int:
        """Number of values; 0 if it is not known."""
        return 0 if self.sizes is None else element_count(self.sizes)


def ops_of(model: StaticModel) -> list[Op]:
    """Returns the ops of a model's inference part, in the order of the graph.

    Types come from TensorFlow where it knows all the ops, and otherwise from what the graph itself says.
    """
    if model.part is None:
        return []
    graph_def = model.part.graph_def
    nodes = {node.name: node for node in graph_def.node}
    types = _inferred_types(graph_def)
    found = []
    for node in graph_def.node:
        inputs = tuple(node_of(tensor) for tensor in node.input if not tensor.startswith("^"))
        dtype, sizes = types.get(node.name) or declared_type(nodes, f"{node.name}:0", graph_def.versions.producer)
        if node.op in VARIABLE_OPS:
            dtype, sizes = declared_type(nodes, node.name, graph_def.versions.producer)
        found.append(Op(node.name, node.op, inputs, dtype, sizes, not types or node.name in types))
    return found


def _inferred_types(graph_def: Any) -> Mapping[str, Type]:
    """Returns the type of each op's first output as TensorFlow infers it; {} if it cannot import the graph."""
    with tf.Graph().as_default() as graph:
        try:
            tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError, KeyError, tf.errors.OpError):
            return {}
        tensors = {op.name: op.outputs[0] for op in graph.get_operations() if op.outputs}
        return {
            name: (tensor.dtype.base_dtype.name, None if tensor.shape.rank is None else tuple(tensor.shape.as_list()))
            for name, tensor in tensors.items()
        }
