"""Types that a graph declares: of its placeholders, variables and constants, and of tensors that a file describes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from trainer.graphdef.op_types import PLACEHOLDERS, VARIABLE_OPS
from trainer.graphdef.protos import types_pb2
from trainer.graphdef.traverse import node_of, output_of

Sizes = tuple[int | None, ...] | None
"""Size of each axis, None for any; None for an unknown rank."""

FIRST_SCALAR = 24
"""First version of GraphDef in which a placeholder of shape ``[]`` is a scalar; before, it is of any shape.

Source: the shape function of Placeholder, tensorflow/core/ops/array_ops.cc.
"""

NAMES = {"float": "float32", "double": "float64", "half": "float16"}
"""TensorFlow's names of types where they are not those of the format."""

TYPE_ATTRIBUTES = (
    "dtype",
    "output_type",
    "out_type",
    "DstT",
    "Tparams",
    "T",
    "output_types",
    "Tout",
    "component_types",
)
"""Attributes that hold the type of an op's first output, the likeliest first."""

BOOLEAN_OPS = {"Equal", "Greater", "GreaterEqual", "InTopK", "InTopKV2", "Less", "LessEqual", "NotEqual"}
BOOLEAN_OPS |= {"All", "Any", "IsFinite", "IsInf", "IsNan", "LogicalAnd", "LogicalNot", "LogicalOr"}
"""Ops that give booleans, whatever they are given."""

INTEGER_OPS = {"ArgMax": "output_type", "ArgMin": "output_type", "Shape": "out_type", "Size": "out_type"}
"""Ops that give whole numbers, and the attribute that says which."""


def dtype_name(number: int) -> str:
    """Returns TensorFlow's name of a type in its formats, without the mark of a reference.

    Example:
        >>> dtype_name(1), dtype_name(101), dtype_name(7)
        ('float32', 'float32', 'string')
    """
    if number not in types_pb2.DataType.values():
        return f"type {number}"
    name = str(types_pb2.DataType.Name(number)).removeprefix("DT_").removesuffix("_REF").lower()
    return NAMES.get(name, name)


def sizes_of(shape: Any) -> Sizes:
    """Returns the sizes in a TensorShapeProto."""
    return None if shape.unknown_rank else tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)


def placeholder_sizes(node: Any, producer: int) -> Sizes:
    """Returns the sizes of a placeholder.

    Args:
        node: NodeDef.
        producer: Version of the GraphDef that holds it.
    """
    if "shape" not in node.attr:
        return None
    sizes = sizes_of(node.attr["shape"].shape)
    return None if sizes == () and producer < FIRST_SCALAR and node.op == "Placeholder" else sizes


def signature_sizes(info: Any) -> Sizes:
    """Returns the sizes of a TensorInfo of a signature; one without ``tensor_shape`` may have any."""
    return sizes_of(info.tensor_shape) if info.HasField("tensor_shape") else None


def element_count(sizes: Iterable[int | None]) -> int:
    """Returns the number of values of a tensor; 0 if an axis may have any size."""
    known = list(sizes)
    return 0 if None in known else prod(size for size in known if size is not None)


def declared_type(nodes: dict[str, Any], tensor: str, producer: int) -> tuple[str, Sizes]:
    """Returns type and sizes of a tensor as far as a graph says them; '?' and None where it does not.

    Args:
        nodes: NodeDefs by name.
        tensor: Name such as ``op:0``.
        producer: Version of the GraphDef.
    """
    node = nodes[node_of(tensor)]
    index = output_of(tensor)
    shapes = node.attr["_output_shapes"].list.shape if "_output_shapes" in node.attr else ()
    sizes = sizes_of(shapes[index]) if index < len(shapes) else None
    if node.op in PLACEHOLDERS:
        return dtype_name(node.attr["dtype"].type), placeholder_sizes(node, producer)
    if node.op == "Const":
        sizes = sizes_of(node.attr["value"].tensor.tensor_shape)
    elif node.op in VARIABLE_OPS:
        sizes = sizes_of(node.attr["shape"].shape)
    return _type(node, index), sizes


def _type(node: Any, index: int) -> str:
    if node.op in BOOLEAN_OPS:
        return "bool"
    if node.op in INTEGER_OPS:
        given = node.attr[INTEGER_OPS[node.op]].type if INTEGER_OPS[node.op] in node.attr else 0
        return dtype_name(given) if given else "int64" if node.op.startswith("Arg") else "int32"
    if node.op == "TopKV2" and index == 1:
        return "int32"
    for name in TYPE_ATTRIBUTES:
        if name in node.attr:
            value = node.attr[name]
            types = list(value.list.type) or [value.type]
            return dtype_name(types[min(index, len(types) - 1)])
    return "?"
