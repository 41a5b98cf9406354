"""The frozen graph: one ``.pb`` with graph and weights, and a manifest beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import ReadBackError
from trainer.export.serving import (
    ReadValue,
    ServingSession,
    check_equal,
    describe_part,
    run_outputs,
    session_as_is,
)
from trainer.export.subgraph import InferenceSubgraph
from trainer.files import sha256_of, sync_directory, sync_file, temporary_beside, write_json
from trainer.graphdef.frozen_file import read_frozen
from trainer.graphdef.op_types import PLACEHOLDERS, VARIABLE_OPS

v1 = tf.compat.v1


MAX_BYTES = 2**31 - 1
"""A GraphDef with its constants is one protocol buffer message, which holds no more."""


def check_fits_a_pb(part: InferenceSubgraph) -> None:
    """Refuses what one file cannot hold.

    Raises:
        ValueError: the variables are too large.
    """
    if part.variable_bytes > MAX_BYTES:
        raise ValueError(
            f"the variables have {part.variable_bytes / 1e9:.1f} GB, and a .pb holds 2 GB at most; "
            "export a SavedModel instead"
        )


def export_frozen(
    target: Path,
    part: InferenceSubgraph,
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
        tensors = read_frozen_back(temporary, part, example, expected)
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


def read_frozen_back(
    file: Path, part: InferenceSubgraph, example: Mapping[str, Array], expected: list[Array]
) -> dict[str, Any]:
    """Loads the file in a fresh graph and runs it.

    Returns:
        Inputs and outputs as the manifest has them: name to tensor name, dtype and shape.

    Raises:
        ReadBackError: it holds something else than declared, or gives something else.
    """
    graph_def = read_frozen(file)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        placeholders = {node.name for node in graph_def.node if node.op in PLACEHOLDERS}
        if placeholders != set(part.inputs):
            raise ReadBackError(f"{file} has the inputs {sorted(placeholders)} instead of {sorted(part.inputs)}")
        variables = sorted({node.op for node in graph_def.node if node.op in VARIABLE_OPS})
        if variables:
            raise ReadBackError(f"{file} still holds variables ({', '.join(variables)})")
        with session_as_is(graph) as session:
            check_equal(str(file), part.outputs, run_outputs(session, part, example), expected)
        return describe_part(graph, part)
