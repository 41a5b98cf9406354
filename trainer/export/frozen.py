"""Frozen graph: one ``.pb`` with graph and weights, and a manifest beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import ReadBackError
from trainer.export.serving import (
    ReadValues,
    ServingSession,
    check_equal,
    describe_part,
    run_outputs,
)
from trainer.export.subgraph import InferenceSubgraph
from trainer.export.tables import Entries, check_entries
from trainer.files import sha256_of, sync_directory, sync_file, temporary_beside, write_json
from trainer.graph.compiling.session_config import session_as_is
from trainer.graphdef.graph_file import read_graph
from trainer.graphdef.op_types import INITIALIZER, PLACEHOLDERS, VARIABLE_OPS
from trainer.runs.vouchers import voucher_for

v1 = tf.compat.v1


MAX_BYTES = 2**31 - 1
"""Maximum size of a protocol buffer message, and so of a GraphDef with its constants."""


def check_fits_a_pb(part: InferenceSubgraph) -> None:
    """Refuses variables that exceed the size of one file.

    Raises:
        ValueError: The variables are too large.
    """
    if part.variable_bytes > MAX_BYTES:
        raise ValueError(
            f"the variables have {part.variable_bytes / 1e9:.1f} GB, and a .pb holds 2 GB at most; "
            "export a SavedModel instead"
        )


def export_frozen(
    target: Path,
    part: InferenceSubgraph,
    read_values: ReadValues,
    example: Mapping[str, Array],
    expected: list[Array] | None,
    metadata: Mapping[str, Any],
    check: Callable[[Path], Mapping[str, Any]] | None = None,
) -> tuple[Path, Path]:
    """Freezes the inference part, reads the file back, and only then renames it to the target.

    Args:
        target: Path of the ``.pb``.
        part: Inference part.
        read_values: Function that returns the values of its variables by name.
        example: Batch of the data by input.
        expected: Outputs of the live session for the example; None to compare with the unfrozen part.
        metadata: Entries of the manifest: source checkpoint, versions and so on.
        check: Further check of the written file before it gets its name; returns further entries.

    Returns:
        The paths of the ``.pb`` and of its manifest.

    Raises:
        ReadBackError: The file's outputs differ from the expected ones; nothing was put in place.
    """
    with ServingSession(part, read_values) as serving:
        expected = serving.outputs(example) if expected is None else expected
        kept = [*part.outputs, *([INITIALIZER] if serving.tables else [])]
        frozen = v1.graph_util.convert_variables_to_constants(serving.session, serving.graph.as_graph_def(), kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    try:
        temporary.write_bytes(frozen.SerializeToString(deterministic=True))
        sync_file(temporary)
        tensors = read_frozen_back(temporary, part, example, expected, serving.tables)
        sha256 = sha256_of(temporary)
        manifest = {
            "file": target.name,
            "size": temporary.stat().st_size,
            "sha256": sha256,
            **({"voucher": voucher_for(sha256)} if part.does_more else {}),
            **tensors,
            **({"initializer": INITIALIZER} if serving.tables else {}),
            **metadata,
            **(check(temporary) if check else {}),
        }
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(target.parent)
    write_json(target.with_suffix(".json"), manifest)
    return target, target.with_suffix(".json")


def read_frozen_back(
    file: Path,
    part: InferenceSubgraph,
    example: Mapping[str, Array],
    expected: list[Array],
    tables: Mapping[str, Entries],
) -> dict[str, Any]:
    """Loads the file into a new graph, fills its tables and runs it.

    Returns:
        Inputs and outputs in the form of the manifest: name to tensor name, dtype and shape.

    Raises:
        ReadBackError: The file's inputs or outputs differ from the part's, or it holds variables.
    """
    graph_def = read_graph(file)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        placeholders = {node.name for node in graph_def.node if node.op in PLACEHOLDERS}
        if placeholders != set(part.inputs):
            raise ReadBackError(f"{file} has the inputs {sorted(placeholders)} instead of {sorted(part.inputs)}")
        variables = sorted({node.op for node in graph_def.node if node.op in VARIABLE_OPS})
        if variables:
            raise ReadBackError(f"{file} still holds variables ({', '.join(variables)})")
        with session_as_is(graph) as session:
            if tables:
                session.run(INITIALIZER)
                check_entries(str(file), session, tables)
            check_equal(str(file), part.outputs, run_outputs(session, part, example), expected)
        return describe_part(graph, part)
