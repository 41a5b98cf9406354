"""Cutting the inference part out of a whole graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.checks import suggestion
from trainer.model import Tensors

v1 = tf.compat.v1

NOT_OF_THE_MODEL = ("gradients", "save", "report_uninitialized")
"""What the names begin with of the parts of a graph that TensorFlow adds for training and saving."""

# What has no place in an inference graph: input pipelines, calls into Python, updates of variables.
TRAINING_OP = re.compile(
    r"Iterator|Dataset|Queue|PyFunc|^Assign|^Resource(Sparse)?Apply|^(Sparse)?Apply|^Scatter|^ResourceScatter|^Save|^Restore"
)


VARIABLE_OPS = ("VarHandleOp", "VariableV2", "Variable")
"""Resource variables, and the reference variables of old graphs."""


@dataclass(frozen=True)
class Cut:
    """The part of a graph that some outputs need.

    Args:
        graph_def: its nodes, without the handles of variables.
        variables: those that it reads, by name.
        inputs: the placeholders that it needs, by name.
        outputs: names of the nodes that it ends in.
    """

    graph_def: Any
    variables: dict[str, Any]
    inputs: dict[str, Any]
    outputs: tuple[str, ...]

    @property
    def variable_bytes(self) -> int:
        """The size of the variables' values."""
        sizes = [(v.shape.num_elements(), v.dtype.base_dtype) for v in self.variables.values()]
        return sum(count * dtype.size for count, dtype in sizes if dtype != tf.string)


def node_names(names: Sequence[str], graph: Any, likely: Iterable[str]) -> tuple[str, ...]:
    """Returns names of nodes; ``op:0`` is taken as ``op``.

    Args:
        names: as a person gave them.
        graph: that must have them.
        likely: names to suggest before others: the model's outputs.

    Raises:
        ValueError: none is given, or the graph has no such node; the message has close names.
    """
    if not names:
        raise ValueError(f"outputs is empty, and a graph without outputs computes nothing; {suggestion('', likely)}")
    nodes = {operation.name for operation in graph.get_operations()}
    found = []
    for name in names:
        node, _, port = name.partition(":")
        if port not in ("", "0"):
            raise ValueError(f"outputs: {name!r} names output {port} of a node; only the first one can be exported")
        if node in nodes:
            _check_node(node, graph)
        else:
            raise ValueError(f"outputs: the graph has no node {node!r}; {_hint(node, list(likely), nodes)}")
        found.append(node)
    return tuple(found)


def _check_node(node: str, graph: Any) -> None:
    operation = graph.get_operation_by_name(node)
    if operation.type == "Placeholder":
        raise ValueError(f"outputs: {node!r} is an input; name what is computed from it")
    if operation.type in VARIABLE_OPS:
        read = f"{node}/Read/ReadVariableOp" if operation.type == "VarHandleOp" else f"{node}/read"
        raise ValueError(f"outputs: {node!r} is a variable; name what is computed from it, or {read}")


def _hint(node: str, likely: list[str], nodes: Iterable[str]) -> str:
    hint = suggestion(node, likely)
    if hint.startswith("did you mean"):
        return hint
    wider = suggestion(node, nodes)
    return wider if wider.startswith("did you mean") else f"the model's outputs are: {', '.join(likely)}"


def likely_outputs(fed: Tensors) -> list[str]:
    """Returns the nodes that a person named and that depend on an input: what a model may give.

    A node that nobody named bears the name of its type: ``MatMul_1``, ``dense/BiasAdd``.

    Args:
        fed: the placeholders of a graph that does not say what its outputs are.
    """
    reached: dict[str, Any] = {}
    waiting = [operation for tensor in fed.values() for operation in tensor.consumers()]
    while waiting:
        operation = waiting.pop()
        if operation.name not in reached:
            reached[operation.name] = operation
            waiting += [each for tensor in operation.outputs for each in tensor.consumers()]
    return [name for name in sorted(reached) if _is_named(reached[name])]


def _is_named(operation: Any) -> bool:
    gives_numbers = operation.outputs and operation.outputs[0].dtype.is_floating
    if not gives_numbers or operation.name.startswith(NOT_OF_THE_MODEL):
        return False
    last = re.sub(r"(_\d+)+$", "", operation.name.rpartition("/")[2])
    return last.lower() != re.sub(r"V\d$", "", operation.type).lower()


def cut(graph: Any, fed: Tensors, outputs: Sequence[str]) -> Cut:
    """Returns what the outputs need of the graph.

    Args:
        graph: the whole one.
        fed: the placeholders that may be fed, by name.
        outputs: names of nodes.

    Raises:
        ValueError: an output needs something that an inference graph cannot have.
    """
    # TensorFlow's own function prunes nodes, yet keeps every function of the graph.
    whole = graph.as_graph_def()
    part = v1.graph_util.extract_sub_graph(whole, list(outputs))
    functions = needed_functions(whole.library, part.node)
    handles = {node.name for node in part.node if node.op in VARIABLE_OPS}
    variables = {v.op.name: v for v in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES) if v.op.name in handles}
    _refuse_training_ops([*part.node, *(n for f in functions for n in f.node_def)], handles - set(variables), outputs)
    placeholders = {node.name for node in part.node if node.op in ("Placeholder", "PlaceholderWithDefault")}
    unknown = placeholders - set(fed)
    if unknown:
        raise ValueError(f"outputs {list(outputs)} need {min(unknown)!r}, which is no input of the model")
    result = v1.GraphDef(versions=part.versions)
    result.node.extend(node for node in part.node if node.name not in handles)
    for node in result.node:
        # Beside a node that is not there now no other can be placed.
        node.attr.pop("_class", None)
    result.library.function.extend(functions)
    return Cut(result, variables, {name: fed[name] for name in fed if name in placeholders}, tuple(outputs))


def _refuse_training_ops(nodes: Sequence[Any], local: Iterable[str], outputs: Sequence[str]) -> None:
    table = next((node for node in nodes if "HashTable" in node.op or "LookupTable" in node.op), None)
    if table is not None:
        raise ValueError(
            f"outputs {list(outputs)} need the look-up table {table.name!r}, which these exports cannot carry; leave "
            "them out (~callbacks.freeze, ~callbacks.saved_model), or look up outside the model"
        )
    wrong = next((node for node in nodes if TRAINING_OP.search(node.op)), None)
    if wrong is not None:
        raise ValueError(
            f"outputs {list(outputs)} need the op {wrong.name!r} of type {wrong.op}, which belongs to training; "
            "name outputs of the inference part"
        )
    if local:
        raise ValueError(f"outputs {list(outputs)} read {min(local)!r}, which is no variable of the model")


def needed_functions(library: Any, nodes: Iterable[Any]) -> list[Any]:
    """Returns the functions of a library that the nodes call, and those that these call."""
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
