"""A frozen ``.pb`` as another graph takes it in: what it needs, what it holds, cut to some outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checks import matching, suggestion
from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.files import sha256_of
from trainer.graphdef.frozen_file import read_frozen
from trainer.runs.directory import RunDirectory, runs_in

v1 = tf.compat.v1

PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")
VARIABLES = ("VarHandleOp", "Variable", "VariableV2")


@dataclass(frozen=True)
class TrunkFile:
    """What a frozen graph gives to another one.

    Args:
        file: the ``.pb``.
        sha256: of its content, hexadecimal.
        graph_def: its nodes that the outputs need.
        outputs: names of nodes.
    """

    file: Path
    sha256: str
    graph_def: Any
    outputs: tuple[str, ...]

    def inputs(self) -> dict[str, Any]:
        """Returns the placeholders that the outputs need: name to ``tf.TensorSpec``."""
        return {node.name: _spec(node) for node in self.graph_def.node if node.op in PLACEHOLDERS}

    def constants(self) -> dict[str, Any]:
        """Returns the nodes of its constants by name."""
        return {node.name: node for node in self.graph_def.node if node.op == "Const"}

    def former_variables(self, patterns: Sequence[str], key: str) -> list[str]:
        """Returns the names of constants that can be variables again.

        Args:
            patterns: of names. A name takes any constant of floating type; a pattern takes those of
                at least one axis, as scalars are mostly no weights (the epsilon of a normalisation).
            key: of the config, for messages.

        Raises:
            RequestError: a pattern matches none.
        """
        tensors = {name: node.attr["value"].tensor for name, node in self.constants().items()}
        floating = {name: tensor for name, tensor in tensors.items() if tf.as_dtype(tensor.dtype).is_floating}
        weights = [name for name, tensor in floating.items() if tensor.tensor_shape.dim]
        found: dict[str, None] = {}
        try:
            for pattern in patterns:
                names = [pattern] if pattern in floating else matching(key, pattern, weights, "constant of the trunk")
                found.update(dict.fromkeys(names))
        except ValueError as error:
            raise RequestError(str(error)) from error
        return list(found)


def value_of(node: Any) -> Array:
    """Returns the value of a constant."""
    value: Array = tf.make_ndarray(node.attr["value"].tensor)
    return value


def _spec(node: Any) -> Any:
    shape = node.attr["shape"].shape
    return tf.TensorSpec(None if shape.unknown_rank else shape, tf.as_dtype(node.attr["dtype"].type), node.name)


def find_pb(path: Path, key: str) -> Path:
    """Returns the frozen graph at a path.

    Args:
        path: of a ``.pb``, of a run that left one, or of a directory of runs (for the newest that did).
        key: of the config, for messages.

    Raises:
        RequestError: there is none.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggestion(path.name, near)
        hint = f"; {hint}" if hint.startswith("did you mean") else ""
        raise RequestError(f"{key}: there is no {path}{hint} (a frozen .pb, or the directory of runs that leave one)")
    for run in reversed(runs_in(path) or [RunDirectory(path)]):
        files = sorted(run.frozen.glob("*.pb"))
        if len(files) > 1:
            raise RequestError(f"{key}: {run.frozen} holds {', '.join(each.name for each in files)}; name one of them")
        if files:
            return files[0]
    raise RequestError(f"{key}: {path} holds no run with a frozen graph (looked for export/frozen/*.pb)")


def read_trunk(file: Path, outputs: Iterable[str], key: str) -> TrunkFile:
    """Reads a frozen graph and cuts it to some outputs.

    Args:
        file: the ``.pb``; compared with the manifest beside it, where there is one.
        outputs: names of nodes; ``op:0`` is taken as ``op``.
        key: of the config, for messages.

    Raises:
        RequestError: it is no frozen graph, or has no such node.
    """
    try:
        whole = read_frozen(file)
    except RequestError as error:
        raise RequestError(f"{key}.path: {error}") from error
    variable = next((node.name for node in whole.node if node.op in VARIABLES), None)
    if variable is not None:
        raise RequestError(f"{key}.path: {file} still holds variables ({variable}); freeze it first")
    names = tuple(name.removesuffix(":0") for name in outputs)
    _check_outputs(names, whole, key)
    part = v1.graph_util.extract_sub_graph(whole, list(names))
    for node in part.node:
        node.device = ""
    return TrunkFile(file, sha256_of(file), part, names)


def _check_outputs(names: Sequence[str], whole: Any, key: str) -> None:
    nodes = {node.name: node.op for node in whole.node}
    for name in names:
        if nodes.get(name) in ("Const", *PLACEHOLDERS):
            raise RequestError(f"{key}.outputs: {name!r} is a constant or an input; name what is computed from it")
        if name not in nodes:
            hint = suggestion(name, nodes)
            if not hint.startswith("did you mean"):
                read = {each.partition(":")[0].removeprefix("^") for node in whole.node for each in node.input}
                hint = f"it ends in: {', '.join(sorted(set(nodes) - read))}"
            raise RequestError(f"{key}.outputs: the graph has no node {name!r}; {hint}")


def without(graph_def: Any, removed: Mapping[str, Any] | set[str], unmapped: Iterable[str] = ()) -> Any:
    """Returns a GraphDef without some nodes, which its user maps to tensors of another graph.

    Args:
        graph_def: is left as it is.
        removed: names of constants and placeholders; nothing else depends on when they run.
        unmapped: names of placeholders with a default; each becomes the default itself.
    """
    result = v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    defaults = set(unmapped)
    for node in graph_def.node:
        if node.name in removed:
            continue
        copy = result.node.add()
        copy.CopyFrom(node)
        kept = [each for each in node.input if not (each.startswith("^") and each[1:] in removed)]
        copy.ClearField("input")
        copy.input.extend(kept)
        # Where a node stands beside one that is gone cannot be kept.
        copy.attr.pop("_class", None)
        if node.name in defaults:
            copy.op = "Identity"
            copy.ClearField("attr")
            copy.attr["T"].CopyFrom(node.attr["dtype"])
    return result
