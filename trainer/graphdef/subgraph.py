"""Extraction of the part of a graph that some outputs need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from trainer.graphdef.op_types import INITIALIZER, PLACEHOLDERS, RESTORE_OP, TABLE_INITIALIZER_OP, VARIABLE_OPS
from trainer.graphdef.protos import GraphDef
from trainer.graphdef.traverse import needed_functions, node_of, reads_of, upstream


@dataclass(frozen=True)
class Subgraph:
    """Graph that can be imported and run by itself.

    Args:
        graph_def: GraphDef of the nodes that the outputs need, with the functions that they call.
        outputs: Tensor (``op:0``) of each output by its name.
        placeholders: Placeholder nodes by name.
        variables: Variable nodes by name.
        tables: Names of the ops that fill the look-up tables; those of a Saver, from a checkpoint, are left out.

    Example:
        >>> import tensorflow as tf
        >>> with tf.Graph().as_default() as graph:
        ...     x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        ...     twice, unused = tf.multiply(x, 2.0, name="twice"), tf.negative(x, name="unused")
        >>> part = extract_subgraph(graph.as_graph_def(), {"twice": "twice:0"})
        >>> [node.name for node in part.graph_def.node], list(part.placeholders)
        (['x', 'twice/y', 'twice'], ['x'])
    """

    graph_def: Any
    outputs: Mapping[str, str]
    placeholders: Mapping[str, Any]
    variables: Mapping[str, Any]
    tables: tuple[str, ...]


def extract_subgraph(graph_def: Any, outputs: Mapping[str, str], fed: Collection[str] = ()) -> Subgraph:
    """Returns the part of a graph that the outputs need.

    Args:
        graph_def: Whole graph; not changed.
        outputs: Tensor (``op:0``) of each output by its name; the nodes exist.
        fed: Tensors (``op:0``) whose values are fed instead of computed.
    """
    reads = reads_of(graph_def)
    needed = set(upstream(reads, outputs.values(), fed))
    tables = tuple(node.name for node in _initializers(graph_def) if node_of(node.input[0]) in needed)
    needed.update(upstream(reads, tables, fed))
    nodes = [node for node in graph_def.node if node.name in needed]
    return Subgraph(
        graph_def_of(graph_def, nodes),
        dict(outputs),
        {node.name: node for node in nodes if node.op in PLACEHOLDERS},
        {node.name: node for node in nodes if node.op in VARIABLE_OPS},
        tables,
    )


def _initializers(graph_def: Any) -> list[Any]:
    """Returns the nodes that fill look-up tables, whose first input is the table, except those of a Saver."""
    restores = {node.name for node in graph_def.node if RESTORE_OP.search(node.op)}
    run = {node_of(name) for node in graph_def.node if node.name == INITIALIZER for name in node.input}
    found = [node for node in graph_def.node if TABLE_INITIALIZER_OP.search(node.op) or node.name in run]
    return [node for node in found if node.input and restores.isdisjoint(map(node_of, node.input))]


def graph_def_of(whole: Any, nodes: Collection[Any]) -> Any:
    """Returns a GraphDef of copies of some nodes, with the functions that they call, on no device in particular.

    Args:
        whole: GraphDef that the nodes come from.
        nodes: NodeDef messages.
    """
    result = GraphDef(versions=whole.versions, node=nodes)
    result.library.function.extend(needed_functions(whole.library, nodes))
    for node in result.node:
        # A node colocated with another one cannot be imported without it.
        node.attr.pop("_class", None)
        node.device = ""
    for function in result.library.function:
        for node in function.node_def:
            node.device = ""
    return result
