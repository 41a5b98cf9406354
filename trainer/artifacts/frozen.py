"""The frozen graph: one ``.pb`` with graph and weights, and a manifest beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from trainer.artifacts.cut import Cut
from trainer.artifacts.serving import (
    ReadValue,
    ServingSession,
    check_equal,
    describe_part,
    run_outputs,
    session_as_is,
)
from trainer.data.arrays import Array
from trainer.errors import ReadBackError, RequestError
from trainer.files import sha256_of, sync_directory, sync_file, temporary_beside, write_json

v1 = tf.compat.v1


MOST_BYTES = 2**31 - 1
"""A GraphDef with its constants is one protocol buffer message, which holds no more."""


def check_fits_a_pb(part: Cut) -> None:
    """Refuses what one file cannot hold.

    Raises:
        ValueError: the variables are too large.
    """
    if part.variable_bytes > MOST_BYTES:
        raise ValueError(
            f"the variables have {part.variable_bytes / 1e9:.1f} GB, and a .pb holds 2 GB at most; "
            "export a SavedModel instead"
        )


def export_frozen(
    target: Path,
    part: Cut,
    read_value: ReadValue,
    example: Mapping[str, Array],
    expected: list[Array] | None,
    facts: Mapping[str, Any],
    check: Callable[[Path], Mapping[str, Any]] | None = None,
) -> tuple[Path, Path]:
    """Freezes the inference part, reads the file back, and only then puts it in place.

    Args:
        target: the ``.pb``.
        part: the inference part.
        read_value: gives the values of its variables.
        example: a batch of the data.
        expected: what the live session gives for it; None to compare with the unfrozen part.
        facts: for the manifest: source checkpoint, versions and so on.
        check: of the file that was written, before it gets its name; gives further facts.

    Returns:
        The paths of the ``.pb`` and of its manifest.

    Raises:
        ReadBackError: the file does not give what it should; nothing was put in place.
    """
    with ServingSession(part, read_value) as serving:
        expected = serving.outputs(example) if expected is None else expected
        frozen = v1.graph_util.convert_variables_to_constants(
            serving.session, serving.graph.as_graph_def(), list(part.outputs)
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    try:
        temporary.write_bytes(frozen.SerializeToString(deterministic=True))
        sync_file(temporary)
        tensors = read_back(temporary, part, example, expected)
        manifest = {
            "file": target.name,
            "size": temporary.stat().st_size,
            "sha256": sha256_of(temporary),
            **tensors,
            **facts,
            **(check(temporary) if check else {}),
        }
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(target.parent)
    write_json(target.with_suffix(".json"), manifest)
    return target, target.with_suffix(".json")


def read_frozen(file: Path) -> Any:
    """Returns the GraphDef of a ``.pb``, compared with its manifest where it has one.

    The format has no check of its own: a flipped byte can give wrong numbers, or end the process
    when the graph is loaded, and an empty file is a valid graph of no nodes.

    Raises:
        RequestError: it is missing, empty, no graph, or not what the manifest says.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from error
    manifest_file = file.with_suffix(".json")
    if manifest_file.is_file():
        _compare_with_manifest(file, data, manifest_file)
    if not data:
        raise RequestError(f"{file} is empty")
    try:
        graph_def = v1.GraphDef.FromString(data)
    except DecodeError as error:
        raise RequestError(f"{file} is no frozen graph, or only a part of one ({error})") from error
    if not graph_def.node:
        raise RequestError(f"{file} holds no node")
    return graph_def


def _compare_with_manifest(file: Path, data: bytes, manifest_file: Path) -> None:
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
        size, sha256 = manifest["size"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{manifest_file} is no manifest ({error}); remove it to do without") from error
    if len(data) != size:
        raise RequestError(f"{file} has {len(data):,} bytes; its manifest says {size:,}: it is damaged")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RequestError(f"{file} is not what its manifest says (SHA-256): it is damaged")


def read_back(file: Path, part: Cut, example: Mapping[str, Array], expected: list[Array]) -> dict[str, Any]:
    """Loads the file in a fresh graph and runs it.

    Returns:
        Inputs and outputs as the manifest has them: name to tensor name, dtype and shape.

    Raises:
        ReadBackError: it holds something else than declared, or gives something else.
    """
    graph_def = read_frozen(file)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        placeholders = {node.name for node in graph_def.node if node.op.startswith("Placeholder")}
        if placeholders != set(part.inputs):
            raise ReadBackError(f"{file} has the inputs {sorted(placeholders)} instead of {sorted(part.inputs)}")
        held = sorted({node.op for node in graph_def.node if "Variable" in node.op or node.op == "VarHandleOp"})
        if held:
            raise ReadBackError(f"{file} still holds variables ({', '.join(held)})")
        with session_as_is(graph) as session:
            check_equal(str(file), part.outputs, run_outputs(session, part, example), expected)
        return describe_part(graph, part)
