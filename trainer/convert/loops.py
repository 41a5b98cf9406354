"""Loops of TensorFlow 2, such as those of recurrent layers, in the form that converters take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.graphdef.traverse import node_of

LOWERED = "_lower_using_switch_merge"
"""Attribute of a loop or a branch that lets a session take it apart into ops that no other runtime has."""

ELEMENT_SHAPES = {
    "EmptyTensorList": 0,
    "TensorListFromTensor": 1,
    "TensorListGetItem": 2,
    "TensorListReserve": 0,
    "TensorListStack": 1,
}
"""Input that gives the shape of a list's elements, by the type of the op."""

SHAPES = ("_output_shapes", "output_shapes")
"""Attributes that hold shapes from before the size of a batch was known."""


def keep_loops(graph_def: Any) -> None:
    """Lets loops and branches stay what they are; changes the graph.

    A converter's own clean-up of the graph would take them apart, and find neither a recurrent layer nor a loop.
    """
    for node in _all_nodes(graph_def):
        if LOWERED in node.attr:
            node.attr[LOWERED].b = False


def has_tensor_lists(graph_def: Any) -> bool:
    """Returns whether a graph collects tensors in a loop, as recurrent layers do."""
    return any(node.op in ELEMENT_SHAPES for node in _all_nodes(graph_def))


def fix_batch(graph_def: Any, size: int) -> None:
    """Gives the batch of all inputs a fixed size; changes the graph.

    The elements that a loop collects have the batch as the one axis of unknown size.

    Args:
        graph_def: GraphDef.
        size: Number of examples.
    """
    for function in graph_def.library.function:
        for argument in function.arg_attr.values():
            argument.attr.pop(SHAPES[0], None)
    for nodes in _node_lists(graph_def):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            _forget_shapes(node)
            if node.op in ELEMENT_SHAPES:
                _fill_in(by_name.get(node_of(node.input[ELEMENT_SHAPES[node.op]])), size)
    for node in graph_def.node:
        dims = node.attr["shape"].shape.dim if node.op in PLACEHOLDERS else ()
        if dims and dims[0].size < 0:
            dims[0].size = size


def _forget_shapes(node: Any) -> None:
    for name in SHAPES:
        if name in node.attr:
            count = len(node.attr[name].list.shape)
            del node.attr[name]
            if not name.startswith("_"):
                node.attr[name].list.shape.extend([tf.TensorShape(None).as_proto()] * count)
                node.attr[name].list.SetInParent()


def _fill_in(shape: Any, size: int) -> None:
    """Gives the unknown axes of a constant shape a size."""
    if shape is None or shape.op != "Const":
        return
    value = tf.make_ndarray(shape.attr["value"].tensor)
    if (value == -1).any() and value.ndim:
        filled = [size if each == -1 else each for each in value]
        shape.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(filled, shape.attr["dtype"].type, value.shape))


def _node_lists(graph_def: Any) -> Iterator[Any]:
    yield graph_def.node
    for function in graph_def.library.function:
        yield function.node_def


def _all_nodes(graph_def: Any) -> Iterator[Any]:
    for nodes in _node_lists(graph_def):
        yield from nodes
