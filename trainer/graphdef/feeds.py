"""Tensors that are fed in the place of what a graph would read by itself; no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from trainer.errors import RequestError
from trainer.graphdef.op_types import PLACEHOLDERS, SOURCE_OP
from trainer.graphdef.output_names import Likely, Names, named_tensors
from trainer.graphdef.subgraph import Subgraph, graph_def_of
from trainer.graphdef.traverse import node_of, reads_of, tensor_of, upstream


def named_feeds(names: Names, types: Mapping[str, str], likely: Likely, what: str) -> dict[str, str]:
    """Returns the tensors to feed by the name of the input; ``op:1`` is the input ``op_1`` unless it is given a name.

    Args:
        names: Nodes or tensors as the user named them, or a mapping from names of inputs to them.
        types: Type of each node of the graph.
        likely: Function that returns the names to suggest first.
        what: Name of the graph in messages.

    Raises:
        TypeError: ``names`` is a single string.
        RequestError: The graph has no such node; the message has close matches.
    """
    found = named_tensors("inputs", names, types, likely, what)
    return found if isinstance(names, Mapping) else {input_name(tensor): tensor for tensor in found.values()}


def input_name(tensor: str) -> str:
    """Returns the name of the input that a tensor is fed by, where it is given none.

    Example:
        >>> input_name("IteratorGetNext:0"), input_name("IteratorGetNext:1")
        ('IteratorGetNext', 'IteratorGetNext_1')
    """
    return tensor.removesuffix(":0").replace(":", "_")


def tensors_read(graph_def: Any, outputs: Iterable[str]) -> list[str]:
    """Returns the tensors of input pipelines and queues that the outputs need: what can be fed in their place.

    Args:
        graph_def: Whole graph.
        outputs: Tensors or nodes.

    Example:
        >>> from trainer.graphdef.protos import GraphDef, NodeDef
        >>> nodes = [NodeDef(name="it", op="OneShotIterator"), NodeDef(name="next", op="IteratorGetNext", input=["it"])]
        >>> nodes.append(NodeDef(name="y", op="Neg", input=["next:1"]))
        >>> tensors_read(GraphDef(node=nodes), ["y"])
        ['next:1']
    """
    reads = reads_of(graph_def)
    sources = {node.name for node in graph_def.node if SOURCE_OP.search(node.op)}
    computed = {name: inputs for name, inputs in reads.items() if name not in sources}
    outputs = list(outputs)
    found = [*outputs, *(tensor for name in upstream(computed, outputs) for tensor in computed[name])]
    return sorted({tensor_of(name) for name in found if node_of(name) in sources and not name.startswith("^")})


def refuse_pipelines(part: Subgraph, what: str) -> None:
    """Refuses a part that reads data by itself.

    Raises:
        RequestError: It does; the message has the tensors to feed in the place of it.
    """
    # The last one is the nearest to the outputs: the op that reads the data, not its container.
    source = next((node for node in reversed(part.graph_def.node) if SOURCE_OP.search(node.op)), None)
    if source is None:
        return
    tensors = tensors_read(part.graph_def, part.outputs.values()) or [tensor_of(source.name)]
    raise RequestError(
        f"the outputs {list(part.outputs)} of {what} need {source.name!r} ({source.op}), which reads data by itself; "
        f"feed what it gives: inputs={tensors}",
        argument="inputs",
    )


def with_placeholders(part: Subgraph, fed: Mapping[str, Any]) -> Subgraph:
    """Returns a part that has placeholders for the tensors that it was extracted without.

    Args:
        part: Result of ``extract_subgraph``.
        fed: Placeholder node by the tensor (``op:0``) that it replaces.

    Raises:
        RequestError: A node of the part has the name of a placeholder.
    """
    names = {node.name for node in part.graph_def.node}
    for tensor, node in fed.items():
        if node.name in names:
            raise RequestError(
                f"the input {node.name!r} for {tensor} has the name of a node that the outputs need too; "
                f"feed its other outputs as well, or name the input: other={tensor}",
                argument="inputs",
            )
    result = graph_def_of(part.graph_def, part.graph_def.node)
    for node in result.node:
        for i, name in enumerate(node.input):
            if not name.startswith("^") and tensor_of(name) in fed:
                node.input[i] = fed[tensor_of(name)].name
    read = {node_of(name) for node in result.node for name in node.input} | set(map(node_of, part.outputs.values()))
    added = [node for node in fed.values() if node.name in read]
    result.node.extend(added)
    placeholders = {node.name: node for node in result.node if node.op in PLACEHOLDERS}
    return replace(part, graph_def=result, placeholders=placeholders)
