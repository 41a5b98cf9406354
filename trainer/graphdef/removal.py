"""Removal of nodes from a GraphDef, with all that only they need; no TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from trainer.graphdef.traverse import Reads, downstream, needed_functions, node_of, reads_of

KEPT = "^kept"
"""Reader of all that is kept; no node has such a name."""


def needed_only_by(reads: Reads, ends: Iterable[str]) -> set[str]:
    """Returns some nodes and all that no other node needs.

    Args:
        reads: Graph.
        ends: Nodes that nothing else is to need; those that something else needs are left out.

    Example:
        >>> sorted(needed_only_by({"big": [], "w": [], "set": ["w", "big"], "y": ["w"]}, ["set"]))
        ['big', 'set']
    """
    readers = Counter(name for tensors in reads.values() for name in {node_of(tensor) for tensor in tensors})
    ends = {name for name in ends if name in reads}
    found: set[str] = set()
    waiting = [name for name in ends if not readers[name]]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for each in {node_of(tensor) for tensor in reads[name]}:
            readers[each] -= 1
            if not readers[each]:
                waiting.append(each)
    return found


def remove(graph_def: Any, names: Iterable[str], kept: Iterable[str] = ()) -> None:
    """Removes nodes from a GraphDef, with what depends on them and all that only they need, functions included.

    Args:
        graph_def: GraphDef to change.
        names: Names of the nodes.
        kept: Names of nodes and tensors that stay, and so does what they need.
    """
    reads: dict[str, Iterable[str]] = {**reads_of(graph_def), KEPT: list(kept)}
    gone = needed_only_by(reads, downstream(reads, names) - {KEPT})
    if not gone:
        return
    dropped = [node for node in graph_def.node if node.name in gone]
    rest = [node for node in graph_def.node if node.name not in gone]
    still = {function.signature.name for function in needed_functions(graph_def.library, rest)}
    unused = {function.signature.name for function in needed_functions(graph_def.library, dropped)} - still
    del graph_def.node[:]
    graph_def.node.extend(rest)
    functions = [function for function in graph_def.library.function if function.signature.name not in unused]
    del graph_def.library.function[:]
    graph_def.library.function.extend(functions)
