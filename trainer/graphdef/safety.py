"""Graphs of others held against a list of ops that compute; no TensorFlow, and nothing is run.

A graph is a program: among TensorFlow's ops are some that read and write files, open sockets, call into Python
or end the process. A graph may hold the ops in ``allowed_ops.txt``, and two more where they read what belongs to
the model itself: a restore op that reads the model's variables, and a table that is filled from one of its assets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from trainer.errors import RequestError
from trainer.graphdef.op_types import RESTORE_OP, TABLE_FILE_OP
from trainer.graphdef.traverse import needed_functions, node_of, reads_of, upstream
from trainer.memory import available_bytes, has_room

ALLOWED_OPS = Path(__file__).with_name("allowed_ops.txt")
"""File with the names of all ops that a graph may hold."""

SAVER_OP = re.compile(r"^(Save(V2|Slices)?|Restore(V2|Slice)?|MergeV2Checkpoints)$")
"""Ops of a Saver, which most graphs of a training hold; they may be there as long as they do not run."""

REASONS = (
    (re.compile(r"PyFunc"), "runs Python"),
    (re.compile(r"^Write|Save|Writer$|Merge.*Checkpoints|DumpTensor|ToTFRecord|Summary"), "writes files"),
    (
        re.compile(r"Rpc|^_?(Host)?(Send|Recv)$|DataService|RemoteCall|Collective|Nccl|Worker|^Debug|^Copy"),
        "uses a network",
    ),
    (
        re.compile(r"File|Read|Record|Load|Restore|Snapshot|Cache|LMDB|Csv|CSV|Sql|Line|Vocab|Immutable|Proto"),
        "touches files",
    ),
    (re.compile(r"^Abort$"), "ends the process"),
    (re.compile(r"^Print"), "writes files"),
)
"""What ops that are not allowed do, by patterns of their types, for messages."""

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Ops that call a function with their own inputs, in order."""

PASSING = ("Identity", "PlaceholderWithDefault", "Reshape")
"""Ops whose first input is what they give."""

SHOWN = 5
"""Maximum number of ops in a message."""

STREAMS = (b"stderr", b"stdout", b"log(info)", b"log(warning)", b"log(error)")
"""Places that an op may print to."""


@dataclass(frozen=True)
class Forbidden:
    """Op that a graph of others may not hold.

    Args:
        name: Name of the node, with the function that holds it before a colon.
        op_type: Type of the op.
        reason: What the op does.
    """

    name: str
    op_type: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name!r} ({self.op_type}) {self.reason}"


@cache
def allowed_ops() -> frozenset[str]:
    """Returns the types of ops that a graph may hold."""
    lines = ALLOWED_OPS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def forbidden_ops(
    graph_def: Any, run: Collection[str] | None = None, own_files: Collection[str] = (), *, whole: bool = True
) -> list[Forbidden]:
    """Returns the ops of a graph and of its functions that do more than compute, in the order of the graph.

    Args:
        graph_def: GraphDef.
        run: Names of nodes that are to run, with all that they need; None for all nodes.
        own_files: Names of nodes that give the paths of the model's own files: its variables and assets.
        whole: Whether nodes that do not run are looked at too; False for a graph of a training, which reads its data.

    Example:
        >>> from trainer.graphdef.protos import GraphDef
        >>> graph_def = GraphDef()
        >>> for name, op in (("x", "Placeholder"), ("y", "Relu"), ("z", "WriteFile")):
        ...     _ = graph_def.node.add(name=name, op=op)
        >>> [str(each) for each in forbidden_ops(graph_def)]
        ["'z' (WriteFile) writes files"]
    """
    graph = _Graph(graph_def, own_files)
    running = {node.name for node in graph_def.node} if run is None else set(upstream(reads_of(graph_def), run))
    called = needed_functions(graph_def.library, [node for node in graph_def.node if node.name in running])
    running_functions = {function.signature.name for function in called}
    found = []
    for scope, node in graph.nodes():
        runs = node.name in running if not scope else scope in running_functions
        reason = _reason(graph, scope, node, runs) if runs or whole else ""
        if reason:
            found.append(Forbidden(f"{scope}:{node.name}" if scope else node.name, node.op, reason))
    return found


def _reason(graph: _Graph, scope: str, node: Any, runs: bool) -> str:
    """Returns what a node does that it may not; '' if it only computes."""
    op = node.op
    if op in allowed_ops() or op in graph.functions:
        return _reason_in_attributes(node)
    if SAVER_OP.match(op) and not runs:
        return ""
    path = 0 if RESTORE_OP.match(op) else 1 if TABLE_FILE_OP.match(op) else None
    if path is not None and len(node.input) > path and graph.gives_own_file(scope, node.input[path]):
        return ""
    if path is not None:
        return "touches files that do not belong to the model"
    return next((reason for pattern, reason in REASONS if pattern.search(op)), "is not known")


def _reason_in_attributes(node: Any) -> str:
    """Returns what the attributes of an op that may be there make it do; '' if it only computes."""
    if node.op == "PrintV2" and node.attr["output_stream"].s not in (*STREAMS, b""):
        return "writes files"
    if node.op == "FixedUnigramCandidateSampler" and node.attr["vocab_file"].s:
        return "touches files that do not belong to the model"
    return ""


class _Graph:
    """Nodes of a graph and of its functions, and where the paths of files come from.

    Args:
        graph_def: GraphDef.
        own_files: Names of nodes of the graph itself that give paths of the model's own files.
    """

    def __init__(self, graph_def: Any, own_files: Collection[str]) -> None:
        self.own_files = own_files
        self.functions = {each.signature.name: each for each in graph_def.library.function}
        self._scopes: dict[str, Mapping[str, Any]] = {"": {node.name: node for node in graph_def.node}}
        for name, function in self.functions.items():
            self._scopes[name] = {node.name: node for node in function.node_def}
        self._bodies = [("", graph_def.node), *((name, each.node_def) for name, each in self.functions.items())]

    def nodes(self) -> Iterator[tuple[str, Any]]:
        """Yields each node, with the name of its function before it, '' for the graph itself."""
        for scope, nodes in self._bodies:
            for node in nodes:
                yield scope, node

    def gives_own_file(self, scope: str, tensor: str, seen: frozenset[tuple[str, str]] = frozenset()) -> bool:
        """Returns whether a tensor is the path of a file of the model, wherever its function is called."""
        name = node_of(tensor)
        if (scope, name) in seen:
            return False
        seen |= {(scope, name)}
        arguments = [each.name for each in self.functions[scope].signature.input_arg] if scope else []
        if name in arguments:
            inputs = list(self._given(scope, arguments.index(name)))
            return bool(inputs) and all(each is not None and self.gives_own_file(*each, seen) for each in inputs)
        if not scope and name in self.own_files:
            return True
        node = self._scopes[scope].get(name)
        if node is None:
            return False
        if node.op == "ReadVariableOp" and not scope:
            return self._holds_own_file(node_of(node.input[0]), seen)
        return node.op in PASSING and self.gives_own_file(scope, node.input[0], seen)

    def _holds_own_file(self, variable: str, seen: frozenset[tuple[str, str]]) -> bool:
        """Returns whether a variable of the graph is only ever set to the path of a file of the model."""
        users = [node for node in self._scopes[""].values() if variable in map(node_of, node.input)]
        set_to = [node.input[1] for node in users if node.op == "AssignVariableOp"]
        known = all(node.op in ("AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp") for node in users)
        return known and bool(set_to) and all(self.gives_own_file("", tensor, seen) for tensor in set_to)

    def _given(self, function: str, index: int) -> Iterator[tuple[str, str] | None]:
        """Yields scope and name of a function's argument for each call; None for a call of another kind."""
        for scope, node in self.nodes():
            called = [value.func.name for value in node.attr.values()]
            called += [each.name for value in node.attr.values() for each in value.list.func]
            if node.op != function and function not in called:
                continue
            in_order = node.op == function or node.op in CALLS
            yield (scope, node.input[index]) if in_order and len(node.input) > index else None


def refuse_forbidden(what: str, found: Collection[Forbidden]) -> None:
    """Refuses a graph that holds ops which do more than compute.

    Raises:
        RequestError: There are such ops; the message names some of them.
    """
    if not found:
        return
    names = "; ".join(map(str, list(found)[:SHOWN]))
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise RequestError(
        f"{what} is a program that does more than compute: {names}{more}. Nothing of it was run. If you know where "
        "it comes from, trust it",
        argument="trust",
    )


def check_declared_sizes(what: str, graph_def: Any, available: int | None = None) -> None:
    """Refuses constants that take more memory than there is: a few bytes of a file can declare any shape.

    Args:
        what: Path of the file, for messages.
        graph_def: GraphDef.
        available: Bytes that may be taken; None for those that are free now.

    Raises:
        RequestError: A constant is too large, or has a negative size.
    """
    available = available_bytes() if available is None else available
    for scope, node in _Graph(graph_def, ()).nodes():
        if node.op != "Const":
            continue
        sizes = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
        if any(size < 0 for size in sizes) or not has_room(prod(sizes), available):
            name = f"{scope}:{node.name}" if scope else node.name
            raise RequestError(f"{what}: the constant {name!r} declares the shape {sizes}, more than this machine has")
