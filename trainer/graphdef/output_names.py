"""Names of outputs: suggestions from a graph, and checks of given names; no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainer.checks import check_names, close_matches
from trainer.errors import RequestError
from trainer.graphdef.node_names import is_named_by_hand
from trainer.graphdef.op_types import (
    NO_OUTPUT_OP,
    OUTPUT_COUNTS,
    OUTPUT_LISTS,
    PLACEHOLDERS,
    RESOURCE_VARIABLE,
    SAVER_SCOPE,
    TRAINING_OP,
    TRAINING_SCOPE,
    VARIABLE_OPS,
)
from trainer.graphdef.proposals import proposed_outputs
from trainer.graphdef.traverse import Reads, downstream, ends, node_of, reads_of, tensor_of

Likely = Callable[[], Sequence[str]]
"""Function that returns the names to suggest first; called only if a message needs them."""

Names = Sequence[str] | Mapping[str, str]
"""Tensors as the user names them: ``op`` or ``op:0``, or a mapping from new names to them."""


def likely_outputs(graph_def: Any, limit: int = 10) -> list[str]:
    """Returns nodes that may be outputs, the likeliest first.

    Those that a person would predict with come first. A graph in which none stands out, such as one that only
    computes, gets the nodes that depend on a placeholder: named by hand outside all scopes, then not read by
    another one, then named by hand inside a scope.

    Args:
        graph_def: Whole graph.
        limit: Maximum number of names.
    """
    return (proposed_outputs(graph_def) or _dependent_outputs(graph_def))[:limit]


def _dependent_outputs(graph_def: Any) -> list[str]:
    nodes = {node.name: node for node in graph_def.node}
    reads = reads_of(graph_def)
    usable: Reads = {name: reads[name] for name, node in nodes.items() if _may_be_of_the_model(node)}
    dependent = downstream(usable, [name for name in usable if nodes[name].op in PLACEHOLDERS])
    candidates = [name for name in usable if name in dependent and not NO_OUTPUT_OP.match(nodes[name].op)]
    named = [name for name in candidates if is_named_by_hand(name, nodes[name].op)]
    outside = [name for name in named if "/" not in name]
    last = set(ends({name: usable[name] for name in usable if name in dependent}))
    groups = (outside, [name for name in candidates if name in last], named)
    return list(dict.fromkeys(name for group in groups for name in reversed(group)))


def _may_be_of_the_model(node: Any) -> bool:
    return not TRAINING_SCOPE.match(node.name) and not TRAINING_OP.search(node.op)


def final_outputs(graph_def: Any) -> list[str]:
    """Returns the tensors of nodes that no other node reads: the outputs of a frozen graph without a manifest.

    The first output of a node has the node's name.
    """
    nodes = {node.name: node for node in graph_def.node}
    found = [name for name in ends(reads_of(graph_def)) if not _gives_no_prediction(nodes[name])]
    return [
        tensor for name in found for tensor in [name, *(f"{name}:{i}" for i in range(1, output_count(nodes[name])))]
    ]


def _gives_no_prediction(node: Any) -> bool:
    return bool(NO_OUTPUT_OP.match(node.op) or (SAVER_SCOPE.match(node.name) and TRAINING_OP.search(node.op)))


def output_count(node: Any) -> int:
    """Returns the number of outputs of a node that are results; 1 for an op that is not known to have several."""
    if node.op in OUTPUT_COUNTS:
        return OUTPUT_COUNTS[node.op]
    if node.op in OUTPUT_LISTS:
        attribute = node.attr[OUTPUT_LISTS[node.op]]
        return len(attribute.list.type) or attribute.i or 1
    return 1


def op_types_of(graph_def: Any) -> dict[str, str]:
    """Returns the type of each node of a GraphDef."""
    return {node.name: node.op for node in graph_def.node}


def named_tensors(argument: str, names: Names, types: Mapping[str, str], likely: Likely, what: str) -> dict[str, str]:
    """Returns tensors by name; the name of ``op:0`` is ``op`` unless a mapping gives another one.

    Args:
        argument: Name of the argument that holds the names, for messages.
        names: Nodes or tensors as the user named them.
        types: Type of each node of the graph.
        likely: Function that returns the names to suggest first.
        what: Name of the graph in messages.

    Raises:
        TypeError: ``names`` is a single string.
        RequestError: The graph has no such node; the message has close matches.
    """
    if not isinstance(names, Mapping):
        names = {name.removesuffix(":0"): name for name in check_names(argument, names)}
    for name in names.values():
        _check_is_there(argument, node_of(name), types, likely, what)
    return {name: tensor_of(tensor) for name, tensor in names.items()}


def check_output_nodes(
    names: Sequence[str],
    types: Mapping[str, str],
    likely: Likely,
    *,
    argument: str = "outputs",
    what: str = "the graph",
) -> tuple[str, ...]:
    """Returns the names of nodes whose first output can be computed; ``op:0`` is taken as ``op``.

    Args:
        names: Nodes or tensors as the user named them.
        types: Type of each node of the graph.
        likely: Function that returns the names to suggest first, such as the model's outputs.
        argument: Name of the argument that holds the names, for messages.
        what: Name of the graph in messages.

    Raises:
        RequestError: No name is given, or a name is missing, an input, a variable, or not a node's first output.
    """
    if not names:
        hint = f"; likely ones: {', '.join(found)}" if (found := likely()) else ""
        raise RequestError(f"{argument} is empty; name the nodes to compute{hint}", argument=argument)
    for name in names:
        node, _, port = name.partition(":")
        if port not in ("", "0"):
            raise RequestError(
                f"{argument}: {name!r} names output {port} of a node; only output 0 can be used",
                argument=argument,
            )
        _check_is_there(argument, node, types, likely, what)
        _check_is_computed(argument, node, types[node])
    return tuple(map(node_of, names))


def _check_is_there(argument: str, node: str, types: Mapping[str, str], likely: Likely, what: str) -> None:
    if node in types:
        return
    found = likely()
    matches = close_matches(node, found) or close_matches(node, types)
    hint = f"; likely ones: {', '.join(found)}" if found else ""
    hint = f"; did you mean {' or '.join(matches)}?" if matches else hint
    raise RequestError(f"{argument}: {what} has no node {node!r}{hint}", argument=argument)


def _check_is_computed(argument: str, node: str, op_type: str) -> None:
    if op_type in VARIABLE_OPS:
        read = f"{node}/Read/ReadVariableOp" if op_type == RESOURCE_VARIABLE else f"{node}/read"
        reason = f"is a variable; name what is computed from it, or {read}"
    elif op_type in PLACEHOLDERS:
        reason = "is an input; name what is computed from it"
    else:
        return
    raise RequestError(f"{argument}: {node!r} {reason}", argument=argument)
