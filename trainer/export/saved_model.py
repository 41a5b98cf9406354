"""SavedModel in a numbered directory, TF Serving's layout."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import ReadBackError
from trainer.export.serving import ReadValues, ServingSession, check_equal, describe_part, run_outputs
from trainer.export.subgraph import InferenceSubgraph
from trainer.export.tables import Entries, check_entries
from trainer.files import sync_directory, sync_file, temporary_beside, write_json
from trainer.graph.compiling.session_config import session_as_is
from trainer.graphdef.signatures import SERVING, predict_signature
from trainer.model import Tensors
from trainer.runs.vouchers import MANIFEST, VOUCHED, digest_of_files, voucher_for

v1 = tf.compat.v1

ALIASES = "signature_outputs"
"""Scope of aliases of outputs in a signature."""


def export_saved_model(
    target: Path,
    part: InferenceSubgraph,
    read_values: ReadValues,
    example: Mapping[str, Array],
    expected: list[Array] | None,
    tags: Sequence[str],
    metadata: Mapping[str, Any],
) -> Path:
    """Saves the inference part, reads it back, and only then renames the directory to the target.

    An export under the same number is replaced: it was made from the same step of the same run.

    Args:
        target: Numbered directory.
        part: Inference part.
        read_values: Function that returns the values of its variables by name.
        example: Batch of the data by input.
        expected: Outputs of the live session for the example; None to compare with the part before saving.
        tags: Tags of the meta graph.
        metadata: Entries of the manifest: source checkpoint, versions and so on.

    Returns:
        The target.

    Raises:
        ReadBackError: The export's outputs differ from the expected ones; nothing was put in place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with ServingSession(part, read_values, keep_files=True) as serving:
            expected = serving.outputs(example) if expected is None else expected
            _write(temporary, part, serving, tags)
        tensors = read_saved_model_back(temporary, part, example, expected, tags, serving.tables)
        (temporary / MANIFEST).parent.mkdir(exist_ok=True)
        voucher = {"voucher": voucher_for(digest_of_files(temporary, VOUCHED))} if part.does_more else {}
        write_json(temporary / MANIFEST, {"tags": list(tags), **tensors, **voucher, **metadata})
        for path in temporary.rglob("*"):
            sync_file(path)
        _put_in_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _write(directory: Path, part: InferenceSubgraph, serving: ServingSession, tags: Sequence[str]) -> None:
    def tensors(names: Iterable[str]) -> dict[str, Any]:
        return {name: serving.graph.get_tensor_by_name(f"{name}:0") for name in names}

    signature = predict_signature(tensors(part.inputs), _findable(tensors(part.outputs), serving.graph))
    builder = v1.saved_model.Builder(str(directory))
    builder.add_meta_graph_and_variables(
        serving.session,
        list(tags),
        signature_def_map={SERVING: signature},
        assets_collection=list(serving.files.values()) or None,
        main_op=serving.initializer,
        strip_default_attrs=True,
    )
    builder.save()


def _findable(outputs: Tensors, graph: Any) -> Tensors:
    """Returns outputs that ``tf.saved_model.load`` finds by name.

    It copies a signature's ops into a graph whose names are unique without regard to case, so an output whose name
    differs from that of another op in case alone gets an alias.
    """
    counts = Counter(operation.name.lower() for operation in graph.get_operations())
    return {
        name: tf.identity(tensor, name=f"{ALIASES}/{name}") if counts[name.lower()] > 1 else tensor
        for name, tensor in outputs.items()
    }


def read_saved_model_back(
    directory: Path,
    part: InferenceSubgraph,
    example: Mapping[str, Array],
    expected: list[Array],
    tags: Sequence[str],
    tables: Mapping[str, Entries],
) -> dict[str, Any]:
    """Loads the directory into a new graph and runs its signature.

    Returns:
        Inputs and outputs in the form of the manifest: name to tensor name, dtype and shape.

    Raises:
        ReadBackError: The signature or the outputs differ from the part's.
    """
    with tf.Graph().as_default() as graph, session_as_is(graph) as session:
        signature = v1.saved_model.load(session, list(tags), str(directory)).signature_def[SERVING]
        for kind, names, infos in (
            ("inputs", part.inputs, signature.inputs),
            ("outputs", part.outputs, signature.outputs),
        ):
            if set(names) != set(infos):
                raise ReadBackError(f"{directory} has the {kind} {sorted(infos)} instead of {sorted(names)}")
        fed = {info.name: example[name] for name, info in signature.inputs.items()}
        by_signature = session.run([signature.outputs[name].name for name in part.outputs], fed)
        for read in (run_outputs(session, part, example), by_signature):
            check_equal(str(directory), part.outputs, read, expected)
        check_entries(str(directory), session, tables)
        return describe_part(session.graph, part)


def _put_in_place(temporary: Path, target: Path) -> None:
    replaced = temporary_beside(target.with_name(f"{target.name}-replaced"))
    if target.exists():
        target.rename(replaced)
    temporary.rename(target)
    sync_directory(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)
