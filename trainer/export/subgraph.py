"""Inference part of a live graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.export.tables import Table, tables_in
from trainer.graph.ops.exact_names import placeholder
from trainer.graph.ops.variables import elements
from trainer.graphdef.feeds import refuse_pipelines, with_placeholders
from trainer.graphdef.op_types import PLACEHOLDERS, TABLE_CHANGING_OP, TABLE_FILE_OP, TABLE_OP, TRAINING_OP
from trainer.graphdef.output_names import check_output_nodes
from trainer.graphdef.safety import Forbidden, forbidden_ops
from trainer.graphdef.subgraph import Subgraph, extract_subgraph, graph_def_of
from trainer.graphdef.traverse import node_of, reads_of, tensor_of, upstream
from trainer.model import Tensors

v1 = tf.compat.v1


@dataclass(frozen=True)
class InferenceSubgraph:
    """Part of a live graph that computes some outputs, with the variables that it reads.

    Args:
        graph_def: GraphDef of its nodes, without the handles of variables.
        variables: Variables that it reads, by name.
        inputs: Tensors of the live graph to feed, by the name of the placeholder that it has for each.
        outputs: Names of its output nodes.
        tables: Look-up tables that it needs, by name.
        initializers: Names of the ops of the live graph that fill the tables.
        does_more: Whether it does more than compute, such as write files.
    """

    graph_def: Any
    variables: Mapping[str, Any]
    inputs: Tensors
    outputs: tuple[str, ...]
    tables: Mapping[str, Table] = field(default_factory=dict)
    initializers: tuple[str, ...] = ()
    does_more: bool = False

    @property
    def variable_bytes(self) -> int:
        """Size of the values of the variables of known shape, in bytes."""
        sizes = [(elements(v), v.dtype.base_dtype) for v in self.variables.values()]
        return sum(count * dtype.size for count, dtype in sizes if dtype != tf.string)


def check_outputs(names: Sequence[str], graph: Any, likely: Sequence[str]) -> tuple[str, ...]:
    """Returns names of nodes to export; ``op:0`` is taken as ``op``.

    Args:
        names: Nodes or tensors as the user named them.
        graph: Live graph that must have them.
        likely: Names to suggest before others: the model's outputs.

    Raises:
        RequestError: No name is given, or the graph has no such node; the message has close names.
    """
    types = {operation.name: operation.type for operation in graph.get_operations()}
    return check_output_nodes(names, types, lambda: likely)


def live_tensor(graph: Any, name: str) -> Any:
    """Returns a tensor of an existing node of a live graph, to be fed.

    Raises:
        RequestError: The node has no such output, or one that holds no numbers or strings.
    """
    try:
        tensor = graph.get_tensor_by_name(name)
    except KeyError as error:
        count = len(graph.get_operation_by_name(node_of(name)).outputs)
        raise RequestError(f"inputs: {name!r} is no tensor: the node has {count} outputs", argument="inputs") from error
    if tensor.dtype.base_dtype in (tf.resource, tf.variant):
        raise RequestError(
            f"inputs: {name!r} cannot be fed: it is a {tensor.dtype.name}; feed what is computed from it",
            argument="inputs",
        )
    return tensor


def extract_inference(
    graph: Any,
    fed: Tensors,
    outputs: Sequence[str],
    trust: bool = False,
    own_files: Collection[str] | None = None,
    feeds: Tensors | None = None,
) -> InferenceSubgraph:
    """Returns the part of a live graph that the outputs need.

    Args:
        graph: The whole graph.
        fed: Placeholders that may be fed, by name.
        outputs: Names of existing nodes.
        trust: Whether the part may do more than compute, such as write files.
        own_files: Names of nodes that give the paths of vocabulary files which the part may read; None for all.
        feeds: Further tensors to feed, by the name of the placeholder that the part gets for each; None for none.

    Raises:
        RequestError: An output needs an op that an inference graph cannot have, or that does more than compute.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     x = v1.placeholder(tf.float32, [None], name="x")
        ...     op = tf.multiply(x, v1.get_variable("w", []), name="op")
        >>> part = extract_inference(graph, {"x": x}, ["op"])
        >>> list(part.inputs), list(part.variables), part.variable_bytes
        (['x'], ['w'], 4)
    """
    replaced = {name: tensor for name, tensor in (feeds or {}).items() if not _is_placeholder(name, tensor)}
    own = {tensor.name: _placeholder_node(name, tensor) for name, tensor in replaced.items()}
    fed = {**fed, **replaced}
    wanted = {name: tensor_of(name) for name in outputs}
    whole = with_placeholders(extract_subgraph(graph.as_graph_def(), wanted, own), own)
    tables = tables_in(graph, {node.name for node in whole.graph_def.node})
    part = _without_initializers(whole, tables)
    live = {v.op.name: v for v in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES) if v.op.name in part.variables}
    _check_is_inference(part, list(outputs))
    found = _forbidden(whole, own_files)
    if found and not trust:
        raise RequestError(
            f"outputs {list(outputs)} need {found[0]}; an export that does more than compute is written only if asked "
            "for: trust=true of what exports it",
            argument="export.trust",
        )
    if local := set(part.variables) - set(live):
        raise _refusal(f"outputs {list(outputs)} read {min(local)!r}, which is not a variable of the model")
    if unknown := set(part.placeholders) - set(fed):
        raise _refusal(f"outputs {list(outputs)} need {min(unknown)!r}, which is not an input of the model")
    nodes = [node for node in part.graph_def.node if node.name not in part.variables]
    return InferenceSubgraph(
        # Without devices: an export is for other machines.
        graph_def_of(part.graph_def, nodes),
        live,
        {name: fed[name] for name in fed if name in part.placeholders},
        tuple(outputs),
        tables,
        whole.tables,
        bool(found),
    )


def _is_placeholder(name: str, tensor: Any) -> bool:
    return tensor.op.type in PLACEHOLDERS and tensor.name == tensor_of(name)


def _placeholder_node(name: str, tensor: Any) -> Any:
    with tf.Graph().as_default():
        return placeholder(name, tensor).op.node_def


def _without_initializers(whole: Subgraph, tables: Mapping[str, Table]) -> Subgraph:
    """Returns the part without the ops that fill tables, and what only they need; vocabulary files stay."""
    file_ops = [table.file_op for table in tables.values() if table.file_op]
    kept = set(upstream(reads_of(whole.graph_def), [*whole.outputs.values(), *file_ops]))
    return replace(
        whole,
        graph_def=graph_def_of(whole.graph_def, [node for node in whole.graph_def.node if node.name in kept]),
        placeholders={name: node for name, node in whole.placeholders.items() if name in kept},
        variables={name: node for name, node in whole.variables.items() if name in kept},
    )


def _check_is_inference(part: Subgraph, outputs: list[str]) -> None:
    functions = part.graph_def.library.function
    within = [node for function in functions for node in function.node_def]
    table = next((node for node in within if TABLE_OP.search(node.op)), None)
    if table is not None:
        raise RequestError(
            f"outputs {outputs} need the look-up table {table.name!r}, which is made inside a function, so nothing can "
            "fill it; make it in the model's constructor"
        )
    refuse_pipelines(part, "the graph")
    nodes = [*part.graph_def.node, *within]
    wrong = next((node for node in nodes if TRAINING_OP.search(node.op) or TABLE_CHANGING_OP.search(node.op)), None)
    if wrong is not None:
        raise _refusal(
            f"outputs {outputs} need the op {wrong.name!r} of type {wrong.op}, which belongs to training; "
            "name outputs of the inference part"
        )


def _forbidden(part: Subgraph, own_files: Collection[str] | None) -> list[Forbidden]:
    fills = {node_of(node.input[1]) for node in part.graph_def.node if TABLE_FILE_OP.search(node.op)}
    return forbidden_ops(part.graph_def, own_files=fills if own_files is None else own_files)


def _refusal(message: str) -> RequestError:
    return RequestError(message, argument="outputs")
