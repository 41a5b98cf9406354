"""The part of a GraphDef that some outputs need, by names alone: nothing has been imported yet."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.checks import check_names, close_matches
from trainer.errors import RequestError
from trainer.export.subgraph import TRAINING_OP, needed_functions
from trainer.predict.session import tensor_info
from trainer.predict.tensor_info import TensorInfo

v1 = tf.compat.v1

PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
SOURCES = re.compile(r"Iterator|Dataset|Queue|Reader")
"""Ops that give data of their own accord: what depends on them cannot be fed."""

NO_OUTPUT = re.compile(r"^(Const|NoOp|Assert|Print|Placeholder.*|.*Summary.*|Var.*|.*Variable.*|.*HashTable.*)$")
"""Ops that nobody would predict with."""

UNLIKELY_SCOPE = re.compile(r"gradients|save|train")

Names = Sequence[str] | Mapping[str, str]
"""Tensors as a person names them: ``op`` or ``op:0``, or a mapping from names of one's own to them."""


@dataclass(frozen=True)
class Part:
    """A graph that can be imported and run.

    Args:
        graph_def: the nodes, without devices.
        fed: tensors that are fed in place of what the graph had there, by the name of the input.
        outputs: name to tensor.
        variables: nodes of those that it reads, by name.
        tables: ops that fill its look-up tables.
    """

    graph_def: Any
    fed: Mapping[str, TensorInfo]
    outputs: Mapping[str, str]
    variables: Mapping[str, Any]
    tables: tuple[str, ...]


def part_of(graph_def: Any, outputs: Names, inputs: Names | None, what: str) -> Part:
    """Returns what the outputs need.

    Args:
        graph_def: the whole graph.
        outputs: what to compute.
        inputs: tensors to feed besides the placeholders, in place of a pipeline for example.
        what: the file, for messages.

    Raises:
        RequestError: there is no such node, or an output needs data that cannot be fed.
    """
    nodes = {node.name: node for node in graph_def.node}
    wanted = named_tensors("outputs", outputs, graph_def, what)
    fed = named_tensors("inputs", inputs or (), graph_def, what)
    needed = upstream(nodes, wanted.values(), set(fed.values()))
    tables = tuple(
        node.name
        for node in graph_def.node
        if node.op.startswith(("InitializeTable", "LookupTableImport")) and node_of(node.input[0]) in needed
    )
    needed |= upstream(nodes, tables, set(fed.values()))
    _refuse_pipelines([node for node in graph_def.node if node.name in needed], list(wanted), what)
    return Part(
        _importable(graph_def, needed),
        {name: _declared(graph_def, nodes, tensor, what) for name, tensor in fed.items()},
        wanted,
        {name: nodes[name] for name in nodes if name in needed and nodes[name].op in VARIABLES},
        tables,
    )


def named_tensors(kind: str, names: Names, graph_def: Any, what: str) -> dict[str, str]:
    """Returns tensors by name; ``op:0`` is called ``op`` where no other name is given.

    Raises:
        TypeError: it is a single string.
        RequestError: a node is not there; the message has close matches.
    """
    if not isinstance(names, Mapping):
        names = {name.removesuffix(":0"): name for name in check_names(kind, names)}
    tensors = {name: tensor if ":" in tensor else f"{tensor}:0" for name, tensor in names.items()}
    nodes = {node.name for node in graph_def.node}
    for tensor in tensors.values():
        node = node_of(tensor)
        if node not in nodes:
            matches = close_matches(node, nodes)
            likely = likely_outputs(graph_def)
            hint = f"did you mean {' or '.join(matches)}?" if matches else f"likely ones: {', '.join(likely)}"
            raise RequestError(f"{kind}: {what} has no node {node!r}; {hint}")
    return tensors


def node_of(tensor: str) -> str:
    """Returns the name of the node of ``op``, ``op:0`` or ``^op``."""
    return tensor.removeprefix("^").partition(":")[0]


def upstream(nodes: Mapping[str, Any], ends: Iterable[str], fed: Collection[str] = ()) -> set[str]:
    """Returns the nodes that the ends need, not beyond the tensors that are fed."""
    needed: set[str] = set()
    waiting = list(ends)
    while waiting:
        tensor = waiting.pop()
        name = node_of(tensor)
        if name not in needed and (tensor if ":" in tensor else f"{tensor}:0") not in fed and name in nodes:
            needed.add(name)
            waiting += nodes[name].input
    return needed


def likely_outputs(graph_def: Any, most: int = 10) -> list[str]:
    """Returns nodes that somebody may want to predict with, the likeliest first.

    Those depend on a placeholder. What a person gave a name outside all scopes comes first, then what no
    other of them reads.
    """
    reached: dict[str, Any] = {}
    for node in graph_def.node:
        wanted = not UNLIKELY_SCOPE.match(node.name) and not TRAINING_OP.search(node.op)
        if wanted and (node.op in PLACEHOLDERS or any(node_of(tensor) in reached for tensor in node.input)):
            reached[node.name] = node
    read = {node_of(tensor) for node in reached.values() for tensor in node.input}
    candidates = [name for name, node in reached.items() if not NO_OUTPUT.match(node.op)]
    named = [name for name in candidates if _is_named_by_hand(reached[name])]
    last = [name for name in candidates if name not in named and name not in read]
    return [*reversed(named), *reversed(last)][:most]


def _is_named_by_hand(node: Any) -> bool:
    plain = re.sub(r"_\d+$", "", node.name).replace("_", "").lower()
    return "/" not in node.name and not node.op.lower().startswith(plain)


def ends(graph_def: Any) -> list[str]:
    """Returns the nodes that no other node reads, which are the outputs of a frozen graph."""
    read = {node_of(tensor) for node in graph_def.node for tensor in node.input}
    return [node.name for node in graph_def.node if node.name not in read and not NO_OUTPUT.match(node.op)]


def _refuse_pipelines(nodes: Sequence[Any], outputs: list[str], what: str) -> None:
    # The last one is the nearest to the outputs: what gives the data, not what holds it.
    source = next((node for node in reversed(nodes) if SOURCES.search(node.op)), None)
    if source is not None:
        raise RequestError(
            f"the outputs {outputs} of {what} need {source.name!r} ({source.op}), which reads data by itself; name a "
            f"tensor to feed in its place: inputs={{'x': '{source.name}:0'}}"
        )


def _importable(graph_def: Any, needed: Collection[str]) -> Any:
    result = v1.GraphDef(versions=graph_def.versions)
    result.node.extend(node for node in graph_def.node if node.name in needed)
    result.library.function.extend(needed_functions(graph_def.library, result.node))
    for node in result.node:
        # Devices of another machine, and places beside nodes that are left out.
        node.device = ""
        node.attr.pop("_class", None)
    return result


def import_part(part: Part, what: str) -> tuple[dict[str, TensorInfo], dict[str, TensorInfo]]:
    """Imports the part into the default graph.

    Returns:
        Inputs and outputs by name.

    Raises:
        RequestError: this TensorFlow cannot import it, or an output is no tensor.
    """
    graph = v1.get_default_graph()
    # A name of one's own may be that of a node too, so the placeholders have a scope to themselves.
    fed = {
        name: v1.placeholder(info.dtype, info.shape, name=f"fed_inputs/{i}")
        for i, (name, info) in enumerate(part.fed.items())
    }
    _import(part.graph_def, {info.tensor: fed[name] for name, info in part.fed.items()}, what)
    inputs = {name: tensor_info(tensor) for name, tensor in fed.items()}
    for node in part.graph_def.node:
        if node.op in PLACEHOLDERS:
            optional = node.op == "PlaceholderWithDefault"
            inputs[node.name] = tensor_info(graph.get_tensor_by_name(f"{node.name}:0"), optional=optional)
    return inputs, {name: tensor_info(_tensor(graph, tensor, what)) for name, tensor in part.outputs.items()}


def _import(graph_def: Any, replaced: Mapping[str, Any], what: str) -> None:
    try:
        tf.import_graph_def(graph_def, replaced, name="")
    except (ValueError, tf.errors.OpError) as error:
        raise RequestError(f"{what} cannot be imported: {str(error).splitlines()[0]}") from error


def _declared(graph_def: Any, nodes: Mapping[str, Any], tensor: str, what: str) -> TensorInfo:
    """Returns dtype and shape of a tensor, which only TensorFlow can tell from what is before it."""
    with tf.Graph().as_default() as graph:
        _import(_importable(graph_def, upstream(nodes, [tensor])), {}, what)
        return tensor_info(_tensor(graph, tensor, what))


def _tensor(graph: Any, name: str, what: str) -> Any:
    try:
        return graph.get_tensor_by_name(name)
    except KeyError as error:
        count = len(graph.get_operation_by_name(node_of(name)).outputs)
        raise RequestError(f"outputs: {name!r} of {what} is no tensor: the node has {count} outputs") from error
