"""Inputs that set how a net computes, and the value that a prediction wants of them; no TensorFlow.

Nets of graph mode take the probability of their dropout, or whether they train, by a placeholder. A prediction keeps
everything, trains nothing and learns at no rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER, REQUIRED_PLACEHOLDERS
from trainer.graphdef.traverse import node_of

BOOL, FLOATS = 10, (1, 2, 14, 19)
"""Numbers of the types in TensorFlow's formats: bool; float32, float64, bfloat16, float16."""

BY_NAME: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"keep", re.IGNORECASE), 1.0),
    (re.compile(r"drop|learning_?rate|(^|[/_])lr([/_]|$)|noise", re.IGNORECASE), 0.0),
)
"""Value of a number, by patterns of its name; the first that matches counts."""

TRAINS = re.compile(r"train|phase|learning|is_|use_|dropout|augment", re.IGNORECASE)
"""Names of booleans that are false in a prediction."""

DROPOUT = re.compile(r"(^|[/_])dropout", re.IGNORECASE)
"""Scopes of TensorFlow's own dropout."""


def flag_defaults(graph_def: Any) -> dict[str, float | bool]:
    """Returns the value that a prediction wants of each input that only sets how the net computes, by its name.

    Args:
        graph_def: GraphDef; its placeholders of a known shape with axes are no flags.

    Example:
        >>> from trainer.graphdef.protos import GraphDef
        >>> graph_def = GraphDef()
        >>> for name, dtype in (("x", 1), ("keep_prob", 1), ("is_training", BOOL)):
        ...     graph_def.node.add(name=name, op="Placeholder").attr["dtype"].type = dtype
        >>> flag_defaults(graph_def)
        {'keep_prob': 1.0, 'is_training': False}
    """
    readers: dict[str, list[Any]] = {}
    for node in graph_def.node:
        for tensor in node.input:
            readers.setdefault(node_of(tensor), []).append(node)
    found = {}
    for node in graph_def.node:
        if node.op in REQUIRED_PLACEHOLDERS and not _has_axes(node):
            value = _value(node, lambda name: readers.get(name, []))
            if value is not None:
                found[node.name] = value
    return found


def _has_axes(node: Any) -> bool:
    return bool("shape" in node.attr and node.attr["shape"].shape.dim)


def _value(node: Any, readers: Callable[[str], list[Any]]) -> float | bool | None:
    dtype, last = node.attr["dtype"].type, node.name.rpartition("/")[2]
    if dtype == BOOL:
        return False if TRAINS.search(last) else None
    if dtype not in FLOATS:
        return None
    by_name = next((value for pattern, value in BY_NAME if pattern.search(last)), None)
    return _in_a_dropout(node, readers) if by_name is None else by_name


def _in_a_dropout(node: Any, readers: Callable[[str], list[Any]]) -> float | None:
    """Returns 1 for the share that a dropout keeps, 0 for the share that it drops, None for another use."""
    used = readers(node.name)
    if used and all(DROPOUT.search(each.name) for each in used):
        return 0.0 if any(each.op == "GreaterEqual" for each in used) else 1.0
    if used and all(each.op == "Sub" and node_of(each.input[1]) == node.name for each in used):
        inverse = [_in_a_dropout(each, readers) for each in used]
        return None if None in inverse else 1.0 - float(inverse[0] or 0.0)
    return None


def give_defaults(graph_def: Any, values: Mapping[str, float | bool]) -> None:
    """Gives placeholders of a GraphDef a default value, so that they need not be fed.

    Args:
        graph_def: GraphDef to change.
        values: Default values by the name of the placeholder.
    """
    taken = {node.name for node in graph_def.node}
    for node in list(graph_def.node):
        if node.name not in values or node.op not in REQUIRED_PLACEHOLDERS:
            continue
        name = f"{node.name}/default"
        while name in taken:
            name += "_"
        constant = graph_def.node.add(name=name, op="Const")
        set_constant(constant, node.attr["dtype"].type, values[node.name])
        node.op = OPTIONAL_PLACEHOLDER
        node.input.append(name)
        if "shape" not in node.attr:
            node.attr["shape"].shape.unknown_rank = True
        if graph_def.versions.producer < 24 and not node.attr["shape"].shape.dim:
            node.attr["shape"].shape.unknown_rank = True


def set_constant(node: Any, dtype: int, value: float | bool) -> None:
    """Makes a node a constant scalar.

    Args:
        node: NodeDef to change.
        dtype: Number of the type: a boolean or a float.
        value: Value of the constant.
    """
    node.op = "Const"
    del node.input[:]
    node.ClearField("attr")
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    tensor.tensor_shape.SetInParent()
    if dtype == BOOL:
        tensor.bool_val.append(bool(value))
    elif dtype == 1:
        tensor.float_val.append(float(value))
    elif dtype == 2:
        tensor.double_val.append(float(value))
    else:
        # One and zero as the bits of float16 and bfloat16.
        bits = {(19, 1.0): 0x3C00, (14, 1.0): 0x3F80}
        tensor.half_val.append(bits.get((dtype, float(value)), 0))
