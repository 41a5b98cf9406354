"""Frozen ``.pb`` of a trunk, reduced to the chosen outputs: required inputs, constants, nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checks import matching, suggestion
from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.files import sha256_of
from trainer.graphdef.feeds import tensors_read
from trainer.graphdef.flags import flag_defaults
from trainer.graphdef.graph_file import is_vouched_for, read_graph
from trainer.graphdef.op_types import OLD_LOOP_OPS, REQUIRED_PLACEHOLDERS
from trainer.graphdef.output_names import check_output_nodes, final_outputs, op_types_of
from trainer.graphdef.safety import check_declared_sizes, forbidden_ops, refuse_forbidden
from trainer.graphdef.subgraph import Subgraph, extract_subgraph
from trainer.graphdef.traverse import tensor_of
from trainer.runs.directory import RunDirectory, resolve_run

v1 = tf.compat.v1

ARGUMENT = "trunk"
"""Prefix of the names of a trunk's arguments in messages: a model has it as its argument ``trunk``."""

PATH, OUTPUTS, INPUT_MAP, TRAINABLE, CONSTANTS = (
    f"{ARGUMENT}.{name}" for name in ("path", "outputs", "input_map", "trainable", "constants")
)


@dataclass(frozen=True)
class TrunkFile:
    """Part of a frozen graph that is imported into another graph.

    Args:
        file: Path of the ``.pb``.
        sha256: SHA-256 of its content, hexadecimal.
        part: Subgraph that the outputs need, without devices.
    """

    file: Path
    sha256: str
    part: Subgraph

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output nodes."""
        return tuple(self.part.outputs)

    @property
    def has_old_loops(self) -> bool:
        """True if it has loops of TensorFlow 1, which are made of ops and not of functions."""
        return any(node.op in OLD_LOOP_OPS for node in self.part.graph_def.node)

    def inputs(self) -> dict[str, Any]:
        """Returns the ``tf.TensorSpec`` of each placeholder that the outputs need, by name."""
        return {name: _spec(node) for name, node in self.part.placeholders.items()}

    def required_inputs(self) -> set[str]:
        """Returns the names of the placeholders that must be fed."""
        return {name for name, node in self.part.placeholders.items() if node.op in REQUIRED_PLACEHOLDERS}

    def constants(self) -> dict[str, Any]:
        """Returns the constant nodes by name."""
        return {node.name: node for node in self.part.graph_def.node if node.op == "Const"}

    def former_variables(self, patterns: Sequence[str]) -> list[str]:
        """Returns the names of constants to turn into variables.

        Args:
            patterns: Names or patterns. A name selects any constant of floating type; a pattern selects those
                with at least one axis, as most scalars are not weights (the epsilon of a normalisation).

        Raises:
            RequestError: A pattern matches no constant.
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
    """Returns the value of a constant node."""
    value: Array = tf.make_ndarray(node.attr["value"].tensor)
    return value


def _spec(node: Any) -> Any:
    shape = node.attr["shape"].shape
    return tf.TensorSpec(None if shape.unknown_rank else shape, tf.as_dtype(node.attr["dtype"].type), node.name)


def find_pb(path: Path) -> Path:
    """Returns the frozen graph at a path.

    Args:
        path: Path of a ``.pb``, of a run with one, or of a directory of runs (for the newest run with one).

    Raises:
        RequestError: There is no frozen graph, or there are several.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggestion(path.name, near)
        hint = f"; {hint}" if hint.startswith("did you mean") else ""
        raise RequestError(
            f"{PATH}: there is no {path}{hint} (a frozen .pb, a run with one, or a directory of runs)", argument=PATH
        )
    try:
        run = resolve_run(path, lambda each: bool(_frozen_in(each))) or RunDirectory(path)
    except RequestError as error:
        raise RequestError(f"{PATH}: {error}", argument=PATH) from error
    files = _frozen_in(run)
    if not files:
        raise RequestError(
            f"{PATH}: {path} has no run with a frozen graph (looked for export/frozen/*.pb)", argument=PATH
        )
    if len(files) > 1:
        names = ", ".join(each.name for each in files)
        raise RequestError(f"{PATH}: {run.frozen} holds {names}; name one of them", argument=PATH)
    return files[0]


def _frozen_in(run: RunDirectory) -> list[Path]:
    return sorted(run.frozen.glob("*.pb"))


def read_trunk(
    file: Path,
    outputs: Iterable[str],
    trust: bool = False,
    constants: Mapping[str, Any] | None = None,
    mapped: Collection[str] = (),
) -> TrunkFile:
    """Reads a frozen graph and extracts the part that some outputs need.

    Args:
        file: Path of the ``.pb``; compared with the manifest beside it, if there is one.
        outputs: Names of nodes; ``op:0`` is taken as ``op``.
        trust: Whether the file may do more than compute, such as write files.
        constants: Values of placeholders by name; flags such as ``keep_prob`` have the value of a prediction.
        mapped: Names of placeholders that get an input of the data, whatever their names say.

    Raises:
        RequestError: The file is not a frozen graph, lacks a node or a placeholder, or does more than compute.
    """
    try:
        whole = read_graph(file)
    except RequestError as error:
        raise RequestError(f"{PATH}: {error}", argument=PATH) from error
    types = op_types_of(whole)
    names = check_output_nodes(list(outputs), types, lambda: final_outputs(whole), argument=OUTPUTS)
    constant = next((name for name in names if types[name] == "Const"), None)
    if constant is not None:
        raise RequestError(
            f"{OUTPUTS}: {constant!r} is a constant; name what is computed from an input", argument=OUTPUTS
        )
    check_declared_sizes(f"{PATH}: {file}", whole)
    if not (trust or is_vouched_for(file)):
        refuse_forbidden(f"{PATH}: {file}", forbidden_ops(whole, names))
    part = extract_subgraph(whole, {name: tensor_of(name) for name in names})
    if sources := tensors_read(part.graph_def, part.outputs.values()):
        raise RequestError(
            f"{OUTPUTS}: {file} reads data by itself ({sources[0]}); freeze its checkpoint with an input in place of "
            f"that: scripts/checkpoints freeze CHECKPOINT --feed {sources[0]}",
            argument=OUTPUTS,
        )
    flags = {name: value for name, value in flag_defaults(whole).items() if name not in mapped}
    part = _with_constants(part, flags, constants or {})
    if part.variables:
        raise RequestError(
            f"{PATH}: {file} still has variables ({min(part.variables)}); freeze it first", argument=PATH
        )
    if part.tables:
        raise RequestError(
            f"{PATH}: {file} has look-up tables, filled by {part.tables[0]!r}, which a trunk cannot have; choose "
            "outputs that are computed from what they give",
            argument=PATH,
        )
    return TrunkFile(file, sha256_of(file), part)


def _with_constants(part: Subgraph, flags: Mapping[str, Any], constants: Mapping[str, Any]) -> Subgraph:
    """Returns a part in which placeholders are constants: flags, unless they have another value, and given ones."""
    for name in constants:
        if name not in part.placeholders:
            raise RequestError(
                f"{CONSTANTS}: the outputs do not need the placeholder {name!r}; {suggestion(name, part.placeholders)}",
                argument=CONSTANTS,
            )
    values = {name: value for name, value in flags.items() if name in part.placeholders} | dict(constants)
    for node in part.graph_def.node:
        if node.name in values:
            dtype = node.attr["dtype"].type
            node.op = "Const"
            del node.input[:]
            node.ClearField("attr")
            node.attr["dtype"].type = dtype
            node.attr["value"].tensor.CopyFrom(_tensor_proto(node.name, values[node.name], dtype))
    left = {name: node for name, node in part.placeholders.items() if name not in values}
    return replace(part, placeholders=left)


def _tensor_proto(name: str, value: Any, dtype: int) -> Any:
    try:
        return tf.make_tensor_proto(value, tf.as_dtype(dtype))
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"{CONSTANTS}: {name} ({value!r}) must be of the type {tf.as_dtype(dtype).name}", argument=CONSTANTS
        ) from error


def without(graph_def: Any, removed: Mapping[str, Any] | set[str], unmapped: Iterable[str] = ()) -> Any:
    """Returns a GraphDef without some nodes, which the caller maps to tensors of another graph.

    Args:
        graph_def: Whole graph; not changed.
        removed: Names of constants and placeholders; control dependencies on them are dropped.
        unmapped: Names of placeholders with a default; each becomes an identity of the default.
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
        # A colocation with a removed node cannot be kept.
        copy.attr.pop("_class", None)
        if node.name in defaults:
            copy.op = "Identity"
            copy.ClearField("attr")
            copy.attr["T"].CopyFrom(node.attr["dtype"])
    return result
