"""A frozen ``.pb`` as another graph takes it in: the inputs it needs, the constants it holds, the chosen outputs."""

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
from trainer.graphdef.op_types import REQUIRED_PLACEHOLDERS
from trainer.graphdef.output_names import check_output_nodes, final_outputs, op_types_of
from trainer.graphdef.subgraph import Subgraph, extract_subgraph
from trainer.graphdef.traverse import tensor_of
from trainer.runs.directory import RunDirectory, resolve_run

v1 = tf.compat.v1

ARGUMENT = "trunk"
"""Beginning of the names of a trunk's arguments in messages: a model holds it as its trunk."""

PATH, OUTPUTS, INPUT_MAP, TRAINABLE = (f"{ARGUMENT}.{name}" for name in ("path", "outputs", "input_map", "trainable"))


@dataclass(frozen=True)
class TrunkFile:
    """The part of a frozen graph that another graph takes in.

    Args:
        file: The ``.pb``.
        sha256: SHA-256 of its content, hexadecimal.
        part: What the outputs need of it, without devices.
    """

    file: Path
    sha256: str
    part: Subgraph

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the nodes that it gives."""
        return tuple(self.part.outputs)

    def inputs(self) -> dict[str, Any]:
        """Returns the placeholders that the outputs need: name to ``tf.TensorSpec``."""
        return {name: _spec(node) for name, node in self.part.placeholders.items()}

    def required_inputs(self) -> set[str]:
        """Returns the placeholders that must be fed."""
        return {name for name, node in self.part.placeholders.items() if node.op in REQUIRED_PLACEHOLDERS}

    def constants(self) -> dict[str, Any]:
        """Returns the nodes of its constants by name."""
        return {node.name: node for node in self.part.graph_def.node if node.op == "Const"}

    def former_variables(self, patterns: Sequence[str]) -> list[str]:
        """Returns the names of constants that can be variables again.

        Args:
            patterns: Names or patterns. A name takes any constant of floating type; a pattern takes those of
                at least one axis, as scalars are mostly no weights (the epsilon of a normalisation).

        Raises:
            RequestError: A pattern matches none.
        """
        tensors = {name: node.attr["value"].tensor for name, node in self.constants().items()}
        floating = {name: tensor for name, tensor in tensors.items() if tf.as_dtype(tensor.dtype).is_floating}
        weights = [name for name, tensor in floating.items() if tensor.tensor_shape.dim]
        found: dict[str, None] = {}
        try:
            for pattern in patterns:
                names = (
                    [pattern] if pattern in floating else matching(TRAINABLE, pattern, weights, "constant of the trunk")
                )
                found.update(dict.fromkeys(names))
        except ValueError as error:
            raise RequestError(str(error), argument=TRAINABLE) from error
        return list(found)


def value_of(node: Any) -> Array:
    """Returns the value of a constant."""
    value: Array = tf.make_ndarray(node.attr["value"].tensor)
    return value


def _spec(node: Any) -> Any:
    shape = node.attr["shape"].shape
    return tf.TensorSpec(None if shape.unknown_rank else shape, tf.as_dtype(node.attr["dtype"].type), node.name)


def find_pb(path: Path) -> Path:
    """Returns the frozen graph at a path.

    Args:
        path: Path of a ``.pb``, of a run that left one, or of a directory of runs (for the newest that did).

    Raises:
        RequestError: There is none.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggestion(path.name, near)
        hint = f"; {hint}" if hint.startswith("did you mean") else ""
        raise RequestError(
            f"{PATH}: there is no {path}{hint} (a frozen .pb, or the directory of runs that leave one)", argument=PATH
        )
    try:
        run = resolve_run(path, lambda each: bool(_frozen_in(each))) or RunDirectory(path)
    except RequestError as error:
        raise RequestError(f"{PATH}: {error}", argument=PATH) from error
    files = _frozen_in(run)
    if not files:
        raise RequestError(
            f"{PATH}: {path} holds no run with a frozen graph (looked for export/frozen/*.pb)", argument=PATH
        )
    if len(files) > 1:
        names = ", ".join(each.name for each in files)
        raise RequestError(f"{PATH}: {run.frozen} holds {names}; name one of them", argument=PATH)
    return files[0]


def _frozen_in(run: RunDirectory) -> list[Path]:
    return sorted(run.frozen.glob("*.pb"))


def read_trunk(file: Path, outputs: Iterable[str]) -> TrunkFile:
    """Reads a frozen graph and extracts what some outputs need.

    Args:
        file: The ``.pb``; compared with the manifest beside it, where there is one.
        outputs: Names of nodes; ``op:0`` is taken as ``op``.

    Raises:
        RequestError: It is no frozen graph, or has no such node.
    """
    try:
        whole = read_frozen(file)
    except RequestError as error:
        raise RequestError(f"{PATH}: {error}", argument=PATH) from error
    types = op_types_of(whole)
    names = check_output_nodes(list(outputs), types, lambda: final_outputs(whole), argument=OUTPUTS)
    constant = next((name for name in names if types[name] == "Const"), None)
    if constant is not None:
        raise RequestError(
            f"{OUTPUTS}: {constant!r} is a constant; name what is computed from an input", argument=OUTPUTS
        )
    part = extract_subgraph(whole, {name: tensor_of(name) for name in names})
    if part.variables:
        raise RequestError(
            f"{PATH}: {file} still holds variables ({min(part.variables)}); freeze it first", argument=PATH
        )
    return TrunkFile(file, sha256_of(file), part)


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
