"""Ops of an inference part with their inputs and types, as boxes and tables show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.graphdef.declared import Sizes, declared_type, element_count
from trainer.graphdef.op_types import VARIABLE_OPS
from trainer.graphdef.traverse import node_of
from trainer.inspection.calls import Node, inline_calls
from trainer.inspection.static import StaticModel

Type = tuple[str, Sizes]
"""Name of a dtype, and the size of each axis."""

OUTPUT = "Output"
"""Type of an op that stands for an output which a function gives."""


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


def ops_of(model: StaticModel) -> tuple[list[Op], list[str]]:
    """Returns the ops of a model's inference part, those of its functions included, and the names of its outputs.

    Types come from TensorFlow where it knows all the ops, and otherwise from what the graph itself says.
    An output that comes from within a function is an op of its own, with the name of the output.
    """
    if model.part is None:
        return [], []
    graph_def = model.part.graph_def
    nodes, sources = inline_calls(graph_def, model.part.outputs.values())
    types, producer = _inferred_types(graph_def), graph_def.versions.producer
    names = _short_names(nodes, _input_names(model))
    found = [_op(node, names, types, producer) for node in nodes]
    by_name = {op.name: op for op in found}
    ends = []
    for name, tensor in model.part.outputs.items():
        source = names.get(sources.get(tensor, ""))
        if source is None or source == names.get(node_of(tensor)):
            ends.append(names.get(node_of(tensor), node_of(tensor)))
            continue
        while name in by_name:
            name += " (output)"
        by_name[name] = Op(name, OUTPUT, (source,), by_name[source].dtype, by_name[source].sizes)
        ends.append(name)
    return list(by_name.values()), ends


def _op(node: Node, names: Mapping[str, str], types: Mapping[str, Type], producer: int) -> Op:
    message, inferred = node.message, None if node.in_function else types.get(node.name)
    dtype, sizes = inferred or declared_type({message.name: message}, f"{message.name}:0", producer)
    if message.op in VARIABLE_OPS:
        dtype, sizes = declared_type({message.name: message}, message.name, producer)
    has_output = node.in_function or not types or node.name in types
    return Op(names[node.name], message.op, tuple(names[name] for name in node.inputs), dtype, sizes, has_output)


def _input_names(model: StaticModel) -> dict[str, str]:
    """Returns the inputs of signatures by the names of their placeholders, which begin with the signature's name."""
    return {
        node_of(info.tensor): name
        for signature, (inputs, _) in (model.signatures or {}).items()
        for name, info in inputs.items()
        if node_of(info.tensor) == f"{signature}_{name}"
    }


def _short_names(nodes: Sequence[Node], inputs: Mapping[str, str]) -> dict[str, str]:
    """Returns the name of each node in the picture, without the scope that all the functions' nodes are in."""
    names = {node.name: node.name for node in nodes}
    scopes = {node.name.partition("/")[0] for node in nodes if node.in_function}
    inside = [node.name for node in nodes if node.in_function and "/" in node.name] if len(scopes) == 1 else []
    renamed = {name: name.partition("/")[2] for name in inside}
    renamed |= {node: name for node, name in inputs.items() if node in names}
    if len({*names.values()} - {*renamed} | {*renamed.values()}) < len(names):
        return names
    return {**names, **renamed}


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
