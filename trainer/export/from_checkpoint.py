"""Freezing and exporting any stored checkpoint after the training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.catalog import run_of
from trainer.checkpoints.meta_graph import find_meta, require_meta
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.checkpoints.store import INDEX
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.checkpoints.vocabularies import check_vocabularies, vocabulary_paths
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError, describe
from trainer.export.checkpoint_session import CheckpointSession, generated_example, session_from_code, session_from_meta
from trainer.export.frozen import check_fits_a_pb, export_frozen
from trainer.export.saved_model import export_saved_model
from trainer.export.serving import ReadValues, live_outputs, values_in
from trainer.export.subgraph import InferenceSubgraph, check_outputs, extract_inference, live_tensor
from trainer.export.tables import words_in
from trainer.files import local_path
from trainer.graph.data.data_source import inspect_source
from trainer.graphdef.feeds import named_feeds
from trainer.graphdef.flags import flag_defaults
from trainer.graphdef.output_names import Names, likely_outputs, op_types_of
from trainer.model import Model
from trainer.runs.versions import versions
from trainer.timing import utc_now

v1 = tf.compat.v1

MakeParts = Callable[[], tuple[Callable[[], Model], Any]]
"""Function that returns the constructor of the model, and the source of its data."""


@dataclass(frozen=True)
class Export:
    """Verified content of an export, ready to be written.

    Args:
        part: Inference part.
        read_values: Function that returns the values of its variables by name.
        example: Batch to check the file with, by input.
        expected: Outputs of the restored checkpoint for the example.
        metadata: Entries of the manifest.
    """

    part: InferenceSubgraph
    read_values: ReadValues
    example: Mapping[str, Array]
    expected: list[Array]
    metadata: Mapping[str, Any]


def freeze_checkpoint(
    reference: Reference,
    target: str | Path | None = None,
    outputs: Sequence[str] | None = None,
    example: Mapping[str, Array] | None = None,
    parts: MakeParts | None = None,
    weights: str | None = None,
    trust: bool = False,
    inputs: Names | None = None,
) -> Path:
    """Freezes a checkpoint into one ``.pb`` with a manifest, and compares it with the checkpoint.

    The training code is not needed if the checkpoint has a ``.meta``.

    Args:
        reference: Reference to the checkpoint, as for ``trainer.checkpoints.find``.
        target: Path of the ``.pb``; None for ``export/frozen/<checkpoint>.pb`` in its run, or in its directory
            if it has no run.
        outputs: Names of nodes; None for those that the ``.meta`` or the model declares.
        example: Batch to check the file with, by input; missing inputs are generated.
        parts: Function that builds model and data from code; None to read the ``.meta``.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.
        trust: Whether the graph may do more than compute, such as write files.
        inputs: Tensors to feed besides the placeholders, such as those of an input pipeline, or a mapping from names
            of inputs to them; the export has a placeholder for each.

    Returns:
        The path of the ``.pb``.

    Raises:
        RequestError, ValueError: A name is wrong, or there is neither graph nor model.
        CheckpointError: The checkpoint is damaged.
        ReadBackError: The file's outputs differ from the checkpoint's; nothing was put in place.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> with tf.Graph().as_default(), v1.Session() as session:
        ...     op = tf.multiply(v1.placeholder(tf.float32, [None], "x"), v1.get_variable("w", []), name="op")
        ...     session.run(v1.global_variables_initializer())
        ...     _ = v1.train.Saver().save(session, f"{folder}/model", global_step=7)
        >>> freeze_checkpoint(folder, outputs=["op"]).relative_to(folder)
        PosixPath('export/frozen/model-7.pb')
    """
    checkpoint = resolve_checkpoint(reference)
    target = local_path(target or export_directory(checkpoint) / "frozen" / f"{checkpoint.name}.pb")
    if target.suffix != ".pb":
        raise RequestError(f"{target} must end in .pb; its manifest ends in .json")
    if target.with_suffix(INDEX).exists():
        raise RequestError(
            f"{target.with_suffix('.json')} belongs to the checkpoint of that name; choose another name than {target}"
        )
    with opened(checkpoint, outputs, example, parts, weights, trust, inputs) as export:
        check_fits_a_pb(export.part)
        export_frozen(target, export.part, export.read_values, export.example, export.expected, export.metadata)
    return target


def export_checkpoint(  # noqa: PLR0913 - each is a flag of the command
    reference: Reference,
    directory: str | Path | None = None,
    tags: Sequence[str] = ("serve",),
    outputs: Sequence[str] | None = None,
    example: Mapping[str, Array] | None = None,
    parts: MakeParts | None = None,
    weights: str | None = None,
    trust: bool = False,
    inputs: Names | None = None,
) -> Path:
    """Exports a checkpoint as a SavedModel, and compares it with the checkpoint.

    Args:
        reference: Reference to the checkpoint, as for ``trainer.checkpoints.find``.
        directory: Parent of the export, which is named by the checkpoint's number (TF Serving's layout); None for
            ``export/saved_model`` in its run, or in its directory if it has no run.
        tags: Tags of the meta graph.
        outputs: Names of nodes; None for those that the ``.meta`` or the model declares.
        example: Batch to check the export with, by input; missing inputs are generated.
        parts: Function that builds model and data from code; None to read the ``.meta``.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.
        trust: Whether the graph may do more than compute, such as write files.
        inputs: Tensors to feed besides the placeholders, such as those of an input pipeline, or a mapping from names
            of inputs to them; the export has a placeholder for each.

    Returns:
        The numbered directory.

    Raises:
        RequestError, ValueError: A name is wrong, there is neither graph nor model, or the target holds another
            kind of file.
        CheckpointError: The checkpoint is damaged.
        ReadBackError: The export's outputs differ from the checkpoint's; nothing was put in place.
    """
    checkpoint = resolve_checkpoint(reference)
    if isinstance(tags, str) or not tags:
        raise RequestError(f"tags ({tags!r}) must be a list of names, such as ['serve']", argument="tags")
    target = local_path(directory or export_directory(checkpoint) / "saved_model") / str(checkpoint.number or 1)
    if target.exists() and not (target / "saved_model.pb").is_file():
        raise RequestError(f"{target} exists and is not a SavedModel; choose another directory")
    with opened(checkpoint, outputs, example, parts, weights, trust, inputs) as export:
        return export_saved_model(
            target, export.part, export.read_values, export.example, export.expected, tags, export.metadata
        )


def export_directory(checkpoint: StoredCheckpoint) -> Path:
    """Returns the default directory of exports: in the checkpoint's run, or beside a checkpoint without a run."""
    run = run_of(checkpoint)
    return (run.path if run else checkpoint.directory) / "export"


@contextlib.contextmanager
def opened(
    checkpoint: StoredCheckpoint,
    outputs: Sequence[str] | None,
    example: Mapping[str, Array] | None,
    parts: MakeParts | None,
    weights: str | None = None,
    trust: bool = False,
    inputs: Names | None = None,
) -> Iterator[Export]:
    """Opens a verified checkpoint, extracts the inference part and runs it on an example."""
    checkpoint.verify()
    with _session(checkpoint, parts, weights, trust) as live:
        part = _inference_part(live, outputs, inputs, checkpoint, trust)
        _fill_tables(live, part, checkpoint)
        known = {**(live.example or {}), **_checked(example or {}, part)}
        missing = {name: each for name, each in part.inputs.items() if name not in known}
        flags = flag_defaults(live.session.graph.as_graph_def())
        generated = generated_example(missing, words=words_in(part.tables, live.session), flags=flags)
        batch = {**known, **generated}
        try:
            expected = live_outputs(live.session, part, batch)
        except tf.errors.FailedPreconditionError as error:
            raise CheckpointError(
                f"{checkpoint.prefix} lacks values that the outputs {list(part.outputs)} need ({describe(error)})"
            ) from error
        except (tf.errors.OpError, ValueError) as error:
            raise RequestError(
                f"the outputs {list(part.outputs)} cannot be computed for the example ({describe(error)}); "
                "give a batch that fits the model",
                argument="example",
            ) from error
        metadata = {**_metadata(checkpoint), **({"weights": "averaged"} if live.averaged else {})}
        yield Export(part, values_in(live.session, part), batch, expected, metadata)


def _session(
    checkpoint: StoredCheckpoint, parts: MakeParts | None, weights: str | None, trust: bool
) -> contextlib.AbstractContextManager[CheckpointSession]:
    if parts is not None:
        make_model, data = parts()
        return session_from_code(checkpoint.prefix, make_model, inspect_source(data), weights, find_meta(checkpoint))
    meta = require_meta(checkpoint, "without one the graph must come from the config of a run")
    return session_from_meta(checkpoint.prefix, meta, weights, trust)


def _inference_part(
    live: CheckpointSession,
    outputs: Sequence[str] | None,
    inputs: Names | None,
    checkpoint: StoredCheckpoint,
    trust: bool,
) -> InferenceSubgraph:
    graph = live.session.graph
    graph_def = graph.as_graph_def()
    likely = live.outputs or likely_outputs(graph_def)
    names = live.outputs if outputs is None else outputs
    if not names:
        perhaps = f", perhaps {' or '.join(likely[:4])}" if likely else ""
        raise RequestError(
            f"the graph of {checkpoint.prefix} does not declare the model's outputs; name them{perhaps}",
            argument="outputs",
        )
    nodes = check_outputs(names, graph, likely)
    feeds = named_feeds(inputs or (), op_types_of(graph_def), lambda: likely, f"the graph of {checkpoint.prefix}")
    tensors = {name: live_tensor(graph, tensor) for name, tensor in feeds.items()}
    return extract_inference(graph, live.fed, nodes, trust, vocabulary_paths(checkpoint, graph_def), tensors)


def _fill_tables(live: CheckpointSession, part: InferenceSubgraph, checkpoint: StoredCheckpoint) -> None:
    check_vocabularies(checkpoint, part.tables)
    try:
        live.session.run(part.initializers)
    except tf.errors.OpError as error:
        raise RequestError(
            f"the look-up tables of {checkpoint.prefix} cannot be filled ({describe(error)}); a vocabulary file must "
            "be where it was in the run"
        ) from error


def _checked(example: Mapping[str, Array], part: InferenceSubgraph) -> Mapping[str, Array]:
    if extra := sorted(set(example) - set(part.inputs)):
        raise RequestError(
            f"the outputs {list(part.outputs)} do not need {extra[0]!r}; inputs: {', '.join(part.inputs)}",
            argument="example",
        )
    return example


def _metadata(checkpoint: StoredCheckpoint) -> dict[str, Any]:
    record, run = checkpoint.record, run_of(checkpoint)
    return {
        "run": "/".join(run.path.absolute().parts[-2:]) if run else None,
        "checkpoint": run.relative(checkpoint.prefix) if run else str(checkpoint.prefix.absolute()),
        "epoch": record.epoch if record else None,
        "global_step": record.global_step if record else checkpoint.number,
        "versions": versions(),
        "created": utc_now(),
    }
