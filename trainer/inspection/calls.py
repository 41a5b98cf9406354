"""Calls of functions replaced by the bodies of the functions, for a picture; no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import count
from typing import Any

from trainer.graphdef.traverse import node_of, output_of

MAX_DEPTH = 24
"""Maximum number of calls within each other that are replaced."""

MAX_NODES = 30_000
"""Maximum number of nodes and calls in the bodies that are put in; later calls stay boxes."""

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Ops that call the function named by their attribute ``f``; an op may also have the name of a function."""

UNNAMED_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?$")
"""Names that TensorFlow gives to calls; they say nothing of what is called."""

GENERATED = re.compile(r"^__(inference|forward)_|_\d+$")
"""What TensorFlow adds to the name of a function."""


@dataclass(frozen=True)
class Node:
    """Node of a graph without calls.

    Args:
        name: Name of the node; for one of a function with the scope of the call.
        message: NodeDef that it comes from.
        inputs: Names of the nodes whose values it takes.
        in_function: Whether it comes from the body of a function.
    """

    name: str
    message: Any
    inputs: tuple[str, ...]
    in_function: bool


@dataclass(frozen=True)
class _Results:
    """Nodes that a call returns, and the number of each by the name of the function's output."""

    nodes: Sequence[str | None]
    numbers: Mapping[str, int]

    def node(self, tensor: str) -> str | None:
        parts = tensor.split(":")
        number = output_of(tensor)
        if len(parts) == 3:
            number += self.numbers.get(parts[1], 0)
        return self.nodes[number] if number < len(self.nodes) else None


_Values = dict[str, "str | _Results | None"]


@dataclass
class _Inliner:
    functions: Mapping[str, Any]
    calls: Mapping[str, int]
    taken: set[str]
    room: int
    found: list[Node] = field(default_factory=list)

    def called(self, node: Any, stack: Sequence[str]) -> Any:
        """Returns the function that a node calls, None if it is no call or stays one."""
        function = self.functions.get(_called_name(node))
        if function is None or function.signature.name in stack or len(stack) >= MAX_DEPTH:
            return None
        return function if len(function.node_def) < self.room else None

    def add(self, nodes: Iterable[Any], prefix: str, values: _Values, stack: tuple[str, ...]) -> None:
        """Adds the nodes of the graph, or of one body, and fills in what their names stand for."""
        passing, own = {}, []
        for node in nodes:
            if (stack and node.op == "Identity" and node.input) or self.called(node, stack) is not None:
                passing[node.name] = node
            else:
                own.append(node)
                values[node.name] = prefix + node.name
        for name in _in_order(passing):
            node = passing[name]
            function = self.called(node, stack)
            if node.op == "Identity":
                values[name] = _resolved(node.input[0], values)
            elif function is None:
                own.append(node)
                values[name] = prefix + name
            else:
                values[name] = self.replace(node, function, prefix, values, stack)
        for node in own:
            if stack and node.op == "NoOp":
                continue
            inputs = (_resolved(tensor, values) for tensor in node.input if not tensor.startswith("^"))
            self.found.append(Node(prefix + node.name, node, tuple(name for name in inputs if name), bool(stack)))

    def replace(self, node: Any, function: Any, prefix: str, values: _Values, stack: tuple[str, ...]) -> _Results:
        """Adds the body of a function, and returns what the call gives."""
        self.room -= 1 + len(function.node_def)
        given = [_resolved(tensor, values) for tensor in node.input if not tensor.startswith("^")]
        inside: _Values = {arg.name: name for arg, name in zip(function.signature.input_arg, given, strict=False)}
        scope = self._scope(node, function, prefix)
        self.taken.update(scope + name for name in self._shown(function))
        self.add(function.node_def, scope, inside, (*stack, function.signature.name))
        outputs = [arg.name for arg in function.signature.output_arg]
        returned = [_resolved(function.ret[name], inside) if name in function.ret else None for name in outputs]
        return _Results(returned, {name: i for i, name in enumerate(outputs)})

    def _scope(self, node: Any, function: Any, prefix: str) -> str:
        """Returns the scope of a body, with its slash: that of the call, and a name where it needs one."""
        name = prefix + node.name
        scope = name.rpartition("/")[0] if UNNAMED_CALL.search(name.rpartition("/")[2]) else name
        shown = self._shown(function)
        inner = {each.partition("/")[0] for each in shown}
        if scope and inner == {scope.rpartition("/")[2]}:
            scope = scope.rpartition("/")[0]
        scope = f"{scope}/" if scope else ""
        if self.calls[function.signature.name] < 2 and not any(scope + each in self.taken for each in shown):
            return scope
        plain = GENERATED.sub("", function.signature.name) or "call"
        candidates = (f"{scope}{plain}_{number}/" if number else f"{scope}{plain}/" for number in count())
        return next(each for each in candidates if not any(each + inside in self.taken for inside in shown))

    def _shown(self, function: Any) -> list[str]:
        """Returns the names in a body, except those of calls and of what only passes values on."""
        nodes = (node for node in function.node_def if node.op not in ("NoOp", "Identity"))
        return [node.name for node in nodes if _called_name(node) not in self.functions]


def inline_calls(graph_def: Any, tensors: Iterable[str]) -> tuple[list[Node], dict[str, str]]:
    """Returns the nodes of a graph with bodies in place of calls, and the node that each of some tensors comes from.

    Calls nest up to ``MAX_DEPTH``; a function that calls itself, and loops and conditionals, stay nodes.

    Args:
        graph_def: GraphDef with its library.
        tensors: Tensors of the graph (``op:0``); those whose node is not known are left out.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    bodies = [graph_def.node, *(function.node_def for function in functions.values())]
    calls = Counter(_called_name(node) for body in bodies for node in body)
    inliner = _Inliner(functions, calls, {node.name for node in graph_def.node}, MAX_NODES)
    values: _Values = {}
    inliner.add(graph_def.node, "", values, ())
    ends = {tensor: _resolved(tensor, values) for tensor in tensors}
    return inliner.found, {tensor: name for tensor, name in ends.items() if name}


def _called_name(node: Any) -> str:
    return str(node.attr["f"].func.name if node.op in CALLS else node.op)


def _resolved(tensor: str, values: _Values) -> str | None:
    value = values.get(node_of(tensor))
    return value.node(tensor) if isinstance(value, _Results) else value


def _in_order(nodes: Mapping[str, Any]) -> list[str]:
    """Returns the names of nodes, each after those that it reads."""
    reads = {name: {node_of(tensor) for tensor in node.input} & nodes.keys() for name, node in nodes.items()}
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError:
        return list(nodes)
