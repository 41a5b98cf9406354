"""Average of several checkpoints, written as a new one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checkpoints.analysis.inspect import problems_of
from trainer.checkpoints.analysis.optimizer_slots import optimizer_variables
from trainer.checkpoints.contents import differences
from trainer.checkpoints.meta_reader import read_graph_of, trainable_names
from trainer.checkpoints.reading.reader import TensorReader
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.checkpoints.store import DATA, INDEX, META, STATE_FILE, CheckpointStore
from trainer.checkpoints.stored_checkpoint import NUMBERED, StoredCheckpoint
from trainer.checkpoints.writing.writer import read_every_tensor
from trainer.checks import check_file_name
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError
from trainer.files import local_path, make_directory, sync_directory, temporary_beside
from trainer.graph.ops.variables import key_of, load_values
from trainer.graph.optimizers.optimizer_names import names_in_file, under_names
from trainer.graphdef.averages import average_names
from trainer.timing import utc_now

v1 = tf.compat.v1


def average(references: Sequence[Reference], target: str | Path) -> StoredCheckpoint:
    """Writes the mean of several checkpoints' weights as a new checkpoint.

    All floating-point variables of the model are averaged. The mean of a batch normalisation's moving
    averages is close to the values that the averaged weights would give, but not equal. Integers such as
    ``global_step`` and the variables of the optimizer are those of the last checkpoint named: the mean of
    momenta belongs to no point of a training.

    The new ``.meta`` holds the graph of the last checkpoint. There is a commit record if all the checkpoints
    have one; its metrics are empty, since these weights have not been evaluated.

    Args:
        references: References to two or more checkpoints of the same variables.
        target: Prefix of the new checkpoint; its directory is made if it is missing.

    Returns:
        New checkpoint, read back.

    Raises:
        RequestError: The checkpoints do not hold the same variables, or the target exists.
        CheckpointError: A checkpoint is damaged, or holds a value that is not finite.

    References:
        Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization,
        https://arxiv.org/abs/1803.05407

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, w in (("model-1", [1.0, 2.0]), ("model-2", [1.0, 4.0])):
        ...     _ = tf.raw_ops.SaveV2(
        ...         prefix=str(folder / name), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant(w)]
        ...     )
        >>> mean = average([f"{folder}@1", f"{folder}@2"], folder / "mean")
        >>> TensorReader(mean.prefix).value("w").tolist()
        [1.0, 3.0]
    """
    target, checkpoints = local_path(target), [resolve_checkpoint(each) for each in references]
    if len(checkpoints) < 2:
        raise RequestError("an average needs at least two checkpoints")
    _check_target(target)
    for checkpoint in checkpoints:
        if problems := problems_of(checkpoint):
            raise CheckpointError(problems[0])
    readers = [TensorReader(checkpoint.prefix) for checkpoint in checkpoints]
    _check_same_variables(readers)
    last = checkpoints[-1]
    meta = read_graph_of(last)
    averaged = _averaged_names(readers[-1], trainable_names(meta) if meta else None)
    # Exports use the averages that an optimizer kept, so they are weights too.
    averaged |= {each.average for each in average_names(meta).values()} & readers[-1].readable.keys() if meta else set()
    values = _values(readers, averaged)
    if meta is not None and len(values) < len(readers[-1].tensors):
        meta = _meta_of(meta, values)
    return _write(
        target, values, meta, _record(target.name, checkpoints, complete=len(values) == len(readers[-1].tensors))
    )


def _check_target(target: Path) -> None:
    check_file_name("the name of the average", target.name)
    if target.is_dir() or any(target.with_name(f"{target.name}{suffix}").exists() for suffix in (INDEX, META)):
        raise RequestError(f"{target} exists already; choose another name")
    if NUMBERED.fullmatch(target.name) and (target.absolute().parent.parent / "run.json").is_file():
        raise RequestError(
            f"{target} would count as a checkpoint of the run in that directory; give it a name without a number, "
            "or another directory"
        )


def _check_same_variables(readers: Sequence[TensorReader]) -> None:
    first = readers[0]
    for other in readers[1:]:
        stored = under_names(other.readable, names_in_file(other.readable, first.readable))
        if found := differences(stored, first.readable):
            lines = "\n  ".join(line.replace("graph", first.prefix.name, 1) for line in found[:6])
            raise RequestError(f"{other.prefix} does not hold the variables of {first.prefix}:\n  {lines}")


def _averaged_names(reader: TensorReader, trainable: set[str] | None) -> set[str]:
    floats = {name for name, tensor in reader.tensors.items() if tf.as_dtype(tensor.dtype).is_floating}
    return floats - optimizer_variables(reader.shapes, trainable)


def _values(readers: Sequence[TensorReader], averaged: set[str]) -> dict[str, Array]:
    last = readers[-1]
    return {name: _mean(readers, name) if name in averaged else last.value(name) for name in last.readable}


def _mean(readers: Sequence[TensorReader], name: str) -> Array:
    """Returns the mean, summed in float64."""
    total: Any = 0.0
    for reader in readers:
        value = reader.value(name)
        if not np.all(np.isfinite(value.astype(np.float64))):
            raise CheckpointError(f"{reader.prefix}: {name} is not finite (nan or infinity); leave this checkpoint out")
        total = total + value.astype(np.float64)
    return np.asarray(total / len(readers)).astype(value.dtype)


def _meta_of(meta: Any, values: Mapping[str, Array]) -> Any:
    """Returns the graph with a Saver of only these variables: the position of a data pipeline has no average.

    Raises:
        RequestError: A value belongs to a table or the like, whose Saver is not in a ``.meta`` on its own.
    """
    with tf.Graph().as_default() as graph:
        v1.train.import_meta_graph(meta, clear_devices=True)
        variables = [v for v in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES) if key_of(v) in values]
        if others := sorted(set(values) - {key_of(variable) for variable in variables}):
            raise RequestError(
                f"{', '.join(others[:3])} cannot be averaged beside the position of a data pipeline; train with "
                "data.save_position=false to average these checkpoints"
            )
        renewed = v1.train.Saver(variables).export_meta_graph()
    for key, signature in meta.signature_def.items():
        renewed.signature_def[key].CopyFrom(signature)
    return renewed


def _record(name: str, checkpoints: Sequence[StoredCheckpoint], *, complete: bool) -> CommitRecord | None:
    records = [checkpoint.record for checkpoint in checkpoints]
    last = records[-1]
    if last is None or None in records:
        return None
    return replace(
        last,
        name=name,
        metrics={},
        complete=last.complete and complete,
        saved_at=utc_now(),
        settings={**last.settings, "averaged": [str(checkpoint.prefix) for checkpoint in checkpoints]},
        files={},
    )


def _write(target: Path, values: Mapping[str, Array], meta: Any, record: CommitRecord | None) -> StoredCheckpoint:
    """Writes the files beside the target, reads them back and moves them into place; the record comes last."""
    directory = target.parent
    if not directory.is_dir():
        make_directory(directory)
    work = temporary_beside(target)
    store, making = CheckpointStore(directory, target.name), CheckpointStore(work, target.name)
    with contextlib.ExitStack() as stack:
        work.mkdir()
        stack.callback(shutil.rmtree, work)
        _save(making.path(target.name), values)
        if meta is not None:
            making.file(target.name, META).write_bytes(meta.SerializeToString(deterministic=True))
        read_every_tensor(str(making.path(target.name)))
        files = making.measure(target.name)
        # The index makes a checkpoint without a record count, so it is the last of the three.
        for suffix in (DATA, META, INDEX):
            if making.file(target.name, suffix).is_file():
                making.file(target.name, suffix).replace(store.file(target.name, suffix))
        sync_directory(directory)
    if record is not None:
        record = replace(record, files=files)
        store.commit(record)
    if not (directory / STATE_FILE).exists():
        store.write_state([target.name])
    return StoredCheckpoint(directory, target.name, record)


def _save(prefix: Path, values: Mapping[str, Array]) -> None:
    """Saves values with a real Saver, from one variable each."""
    with tf.Graph().as_default() as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        # The keys are the names in the file; names in the graph do not allow every character.
        variables = {
            name: v1.get_variable(f"v{i}", value.shape, _dtype(value), v1.zeros_initializer(), use_resource=True)
            for i, (name, value) in enumerate(values.items())
        }
        saver = v1.train.Saver(variables)
        load_values(session, [(variable, values[name]) for name, variable in variables.items()])
        saver.save(session, str(prefix), write_meta_graph=False, write_state=False)


def _dtype(value: Array) -> Any:
    return tf.string if value.dtype.kind in "SUO" else tf.as_dtype(value.dtype)
