"""Dependence of the nodes of a graph on weights, inputs, labels and flags; no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from trainer.graphdef.op_types import PLACEHOLDERS, SOURCE_OP, VARIABLE_OPS
from trainer.graphdef.traverse import downstream, node_of

REDUCING_OP = re.compile(r"^(Sum|Mean|Max|Min|Prod|L2Loss|All|Any|Size|Shape|ShapeN|Rank|.*Norm)$")
"""Ops after which a weight is only a number about it."""

WEIGHING_OP = re.compile(r"MatMul|Conv|Gather|Bias|BatchNorm|Einsum|LSTMBlock|GRUBlock|CudnnRNN|^Mul$|^Add(V2)?$|^Sub$")
"""Ops by which an input meets a weight."""

REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod")
"""Ops that reduce over the axes that their second input lists."""

FLAG_NAME = re.compile(
    r"keep_?prob|drop_?out|is_?train|training|phase|learning_?rate|batch_?size|(^|_)lr$", re.IGNORECASE
)
"""Names of inputs that set how a net computes."""


def of_each_example(reads: Mapping[str, Sequence[str]], nodes: Mapping[str, Any], inputs: Iterable[str]) -> set[str]:
    """Returns the nodes that depend on an input other than by a number about a whole batch."""
    single = {name: [] if _is_about_a_batch(nodes[name], nodes) else tensors for name, tensors in reads.items()}
    return dependent_on(single, inputs)


def _is_about_a_batch(node: Any, nodes: Mapping[str, Any]) -> bool:
    """Returns whether an op reduces its input over the first axis, or over all of them."""
    if node.op == "L2Loss":
        return True
    if node.op not in REDUCTIONS or len(node.input) < 2:
        return False
    axes = nodes.get(node_of(node.input[1]))
    if axes is None or axes.op != "Const":
        return axes is not None and axes.op == "Range"
    value = axes.attr["value"].tensor
    content = value.tensor_content
    first = list(value.int_val or value.int64_val) if not content else [content[0]]
    return 0 in first[:1]


def weights_of(nodes: Mapping[str, Any]) -> list[str]:
    """Returns the variables of a graph and, in a frozen one, its constants with axes."""
    found = [name for name, node in nodes.items() if node.op in VARIABLE_OPS]
    return found + [
        name
        for name, node in nodes.items()
        if node.op == "Const" and _is_floating(node) and node.attr["value"].tensor.tensor_shape.dim
    ]


def _is_floating(node: Any) -> bool:
    return node.attr["dtype"].type in (1, 2, 14, 19)


def fed_or_read(nodes: Mapping[str, Any], reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns what is fed, as names of nodes, or read by the graph itself, as names of tensors."""
    found = {name: None for name, node in nodes.items() if node.op in PLACEHOLDERS}
    for name, tensors in reads.items():
        if SOURCE_OP.search(nodes[name].op):
            continue
        for tensor in tensors:
            source = node_of(tensor)
            if source in nodes and SOURCE_OP.search(nodes[source].op):
                found[tensor] = None
    return list(found)


def is_flag(nodes: Mapping[str, Any], source: str) -> bool:
    """Returns whether a source sets how the net computes: a scalar, a boolean, or a name that says so."""
    node = nodes[node_of(source)]
    if node.op not in PLACEHOLDERS:
        return False
    shape = node.attr["shape"].shape
    scalar = "shape" in node.attr and not shape.unknown_rank and not shape.dim
    return bool(scalar or node.attr["dtype"].type == 10 or FLAG_NAME.search(node.name))


def dependent_on(reads: Mapping[str, Sequence[str]], sources: Iterable[str]) -> set[str]:
    """Returns the nodes that depend on some sources, which are nodes or single tensors of nodes."""
    whole: set[str] = set()
    single: set[str] = set()
    for source in sources:
        (single if ":" in source or source not in reads else whole).add(source)
    first = {name for name, tensors in reads.items() for tensor in tensors if tensor in single}
    return downstream(reads, [*whole, *first])


def weights_alone(reads: Mapping[str, Sequence[str]], nodes: Mapping[str, Any], starts: Iterable[str]) -> set[str]:
    """Returns the nodes that hold a weight in some form: depend on weights alone, and are no number about them."""
    fed = {name for name, node in nodes.items() if node.op in PLACEHOLDERS or SOURCE_OP.search(node.op)}
    depend_on_fed = downstream(reads, fed)
    plain = {
        name: tensors
        for name, tensors in reads.items()
        if name not in depend_on_fed and not REDUCING_OP.match(nodes[name].op)
    }
    return downstream(plain, starts) - depend_on_fed


def is_label(
    source: str, nodes: Mapping[str, Any], reads: Mapping[str, Sequence[str]], weights: Collection[str]
) -> bool:
    """Returns whether what is fed meets no weight, wherever it goes."""
    for name in dependent_on(reads, [source]):
        if WEIGHING_OP.search(nodes[name].op) and any(node_of(tensor) in weights for tensor in reads[name]):
            return False
    return True
