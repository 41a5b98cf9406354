"""Traversal of a graph by the names of its nodes; no TensorFlow.

A graph is a mapping from the name of a node to its inputs (``op``, ``op:0``, ``^op``), which is the same
for a GraphDef and a live graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from trainer.graphdef.op_types import PLACEHOLDERS, SAVER_SCOPE

MAX_DIGITS = 10
"""Digits that no number of an output has."""

Reads = Mapping[str, Iterable[str]]
"""Names of nodes to the tensors and nodes that they read."""


def node_of(tensor: str) -> str:
    """Returns the name of the node of ``op``, ``op:0`` or ``^op``."""
    return tensor.removeprefix("^").partition(":")[0]


def output_of(tensor: str) -> int:
    """Returns the number of the output that a tensor is; 0 where its name gives none.

    Example:
        >>> output_of("op"), output_of("op:2"), output_of("op:body:1"), output_of("op:=")
        (0, 2, 1, 0)
    """
    port = tensor.rpartition(":")[2] if ":" in tensor else ""
    return int(port) if port.isdecimal() and len(port) < MAX_DIGITS else 0


def tensor_of(name: str) -> str:
    """Returns the name of the tensor, ``op:0`` for ``op``."""
    return name if ":" in name else f"{name}:0"


def reads_of(graph_def: Any) -> dict[str, Iterable[str]]:
    """Returns the inputs of each node of a GraphDef."""
    return {node.name: node.input for node in graph_def.node}


def upstream(reads: Reads, ends: Iterable[str], fed: Collection[str] = ()) -> list[str]:
    """Returns the nodes that the ends need and the ends themselves, the nearest first.

    Args:
        reads: Graph; missing names are skipped.
        ends: Tensors or nodes to start from.
        fed: Tensors (``op:0``) at which the traversal stops.

    Example:
        >>> upstream({"x": [], "y": ["x"], "z": ["y:0", "^x"], "other": ["x"]}, ["z"], fed=["y:0"])
        ['z', 'x']
    """
    needed: dict[str, None] = {}
    waiting = deque(ends)
    while waiting:
        tensor = waiting.popleft()
        name = node_of(tensor)
        if name in reads and name not in needed and tensor_of(tensor) not in fed:
            needed[name] = None
            waiting.extend(reads[name])
    return list(needed)


def downstream(reads: Reads, starts: Iterable[str]) -> set[str]:
    """Returns the nodes that depend on the starts, and the starts themselves.

    Example:
        >>> sorted(downstream({"x": [], "y": ["x"], "z": ["^y"], "other": []}, ["x"]))
        ['x', 'y', 'z']
    """
    readers: dict[str, list[str]] = {}
    for name, tensors in reads.items():
        for tensor in tensors:
            readers.setdefault(node_of(tensor), []).append(name)
    found: set[str] = set()
    waiting = [name for name in starts if name in reads]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += readers.get(name, ())
    return found


def ends(reads: Reads) -> list[str]:
    """Returns the nodes that no other node reads, in the order of the graph."""
    read = {node_of(tensor) for tensors in reads.values() for tensor in tensors}
    return [name for name in reads if name not in read]


def model_placeholders(nodes: Iterable[Any]) -> list[Any]:
    """Returns the placeholders, except those of a Saver for its file name.

    Args:
        nodes: NodeDef messages.
    """
    return [node for node in nodes if node.op in PLACEHOLDERS and not SAVER_SCOPE.match(node.name)]


def needed_functions(library: Any, nodes: Iterable[Any]) -> list[Any]:
    """Returns the functions of a library that the nodes call, directly or through other functions."""
    functions = {function.signature.name: function for function in library.function}
    needed: dict[str, Any] = {}
    waiting = list(_called(nodes))
    while waiting:
        name = waiting.pop()
        if name in functions and name not in needed:
            needed[name] = functions[name]
            waiting += _called(functions[name].node_def)
    return list(needed.values())


def _called(nodes: Iterable[Any]) -> Iterable[str]:
    for node in nodes:
        yield node.op
        for attribute in node.attr.values():
            yield attribute.func.name
            yield from (function.name for function in attribute.list.func)
