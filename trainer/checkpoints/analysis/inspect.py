"""Inspection of a checkpoint: a few figures for each variable, and the problems of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from trainer.checkpoints.analysis.optimizer_slots import optimizer_variables
from trainer.checkpoints.catalog import Catalog
from trainer.checkpoints.meta_graph import find_meta
from trainer.checkpoints.meta_reader import read_graph_of, read_meta, trainable_names
from trainer.checkpoints.reading.object_names import OBJECT_GRAPH, OF_OPTIMIZER, names_by_key
from trainer.checkpoints.reading.reader import TensorReader, stored_tensors
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.checkpoints.saver_in_meta import restore_problems
from trainer.checkpoints.store import STATE_FILE
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError

MAX_SHOWN = 6
"""Max number of tensors in the message about a file that does not fit its graph."""


@dataclass(frozen=True)
class Variable:
    """Variable in a checkpoint.

    Args:
        name: Name in the file; of a checkpoint of objects the variable's own name, or its path through the objects.
        dtype: Name of the dtype, such as ``float32``.
        shape: Size of each dimension; () for a scalar.
        parameters: Number of elements.
        size: Size in the file, in bytes.
        of_optimizer: Whether it is a slot or another variable of the optimizer.
        trainable: Whether it is trainable; None without a ``.meta``.
        mean: Mean of the elements; None for a variable that is not numeric, or whose values are not there.
        norm: Euclidean norm; None likewise.
        key: Name in the file.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    parameters: int
    size: int
    of_optimizer: bool
    trainable: bool | None
    mean: float | None
    norm: float | None
    key: str


def missing_files(checkpoint: StoredCheckpoint) -> list[Path]:
    """Returns the files with values that are not there; what the checkpoint holds is known without them.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    return TensorReader(checkpoint.prefix).missing_files


def variables_of(checkpoint: StoredCheckpoint) -> list[Variable]:
    """Returns the variables of a checkpoint, sorted by name; reads every tensor whose file is there.

    The graph of the checkpoint, if there is one, shows which are trainable. The names show which belong to the
    optimizer (``trainer.checkpoints.analysis.optimizer_slots.optimizer_variables``).

    Raises:
        CheckpointError: The checkpoint cannot be read.

    Example:
        >>> import tempfile
        >>> import tensorflow as tf
        >>> from trainer.checkpoints.resolve import Reference, resolve_checkpoint
        >>> names, values = ["w", "w/Momentum"], [tf.constant([3.0, 4.0]), tf.zeros([2])]
        >>> prefix = f"{tempfile.mkdtemp()}/model-1"
        >>> _ = tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=["", ""], tensors=values)
        >>> [(each.name, each.mean, each.norm, each.of_optimizer) for each in variables_of(resolve_checkpoint(prefix))]
        [('w', 3.5, 5.0, False), ('w/Momentum', 0.0, 0.0, True)]
    """
    reader = TensorReader(checkpoint.prefix)
    meta = read_graph_of(checkpoint)
    trainable = None if meta is None else trainable_names(meta)
    names, of_optimizer = _names(reader)
    of_optimizer |= optimizer_variables({name: reader.shapes[key] for key, name in names.items()}, trainable)
    found = (
        _variable(reader, key, name, name in of_optimizer, None if trainable is None else key in trainable)
        for key, name in names.items()
    )
    return sorted(found, key=lambda each: each.name)


def _names(reader: TensorReader) -> tuple[dict[str, str], set[str]]:
    """Returns the names to show by the names in the file, and those that an optimizer has for certain."""
    if OBJECT_GRAPH not in reader.tensors:
        return {name: name for name in reader.tensors}, set()
    graph = b"" if reader.missing_files else reader.value(OBJECT_GRAPH).item()
    names = names_by_key(graph, reader.tensors)
    return names, {name for key, name in names.items() if OF_OPTIMIZER.search(key)}


def _variable(reader: TensorReader, key: str, name: str, of_optimizer: bool, trainable: bool | None) -> Variable:
    tensor = reader.tensors[key]
    shape = tensor.shape or ()
    is_read = not reader.missing_files and not reader.is_opaque(key)
    mean, norm = _mean_and_norm(reader.value(key)) if is_read else (None, None)
    parameters = 0 if reader.is_opaque(key) else prod(size or 0 for size in shape)
    return Variable(name, tensor.dtype, shape, parameters, reader.size(key), of_optimizer, trainable, mean, norm, key)


def _mean_and_norm(value: Array) -> tuple[float | None, float | None]:
    """Returns mean and norm in float64; None for strings, booleans, and empty or complex values."""
    numbers = as_numbers(value)
    if numbers is None or not numbers.size:
        return None, None
    return float(numbers.mean()), float(np.linalg.norm(numbers.ravel()))


def as_numbers(value: Array) -> Array | None:
    """Returns a value as float64, or None if its elements are not real numbers."""
    # numpy gives bfloat16 and the like the kind V, and can convert them.
    return None if value.dtype.kind in "OSUbc" else value.astype(np.float64)


def verify(reference: Reference) -> list[str]:
    """Returns the problems of one checkpoint; [] if every byte is as it was written.

    Args:
        reference: Prefix, directory or ``DIRECTORY@WHICH``, as ``trainer.checkpoints.find`` takes it.

    Raises:
        RequestError: There is no such checkpoint.
    """
    return problems_of(resolve_checkpoint(reference, allow_damaged=True))


def problems_of(checkpoint: StoredCheckpoint) -> list[str]:
    """Returns the problems of a checkpoint; [] if every byte is as it was written and can be restored.

    Every tensor is read and compared with its CRC, and must be one that the Saver in the checkpoint's own
    ``.meta`` can restore. With a commit record, the checksum of each file is compared too. The ``.meta`` of
    another checkpoint does not count; ``note_on_graph`` checks it.
    """
    return list(_problems(checkpoint))


def _problems(checkpoint: StoredCheckpoint) -> Iterator[str]:
    if checkpoint.problem:
        yield checkpoint.problem
        return
    if checkpoint.record:
        try:
            checkpoint.store.verify(checkpoint.record)
        except CheckpointError as error:
            yield str(error)
    try:
        reader = TensorReader(checkpoint.prefix)
        meta = read_meta(checkpoint.own_meta) if checkpoint.own_meta else None
    except CheckpointError as error:
        yield str(error)
        return
    for name in reader.readable:
        try:
            reader.value(name)
        except CheckpointError as error:
            yield str(error)
    if meta is not None and (unmet := restore_problems(meta, reader.tensors)):
        yield _unrestorable(checkpoint, checkpoint.own_meta, unmet)


def _unrestorable(checkpoint: StoredCheckpoint, file: Path | None, unmet: list[str]) -> str:
    more = f"; and {len(unmet) - MAX_SHOWN} more" if len(unmet) > MAX_SHOWN else ""
    return f"{checkpoint.prefix} cannot be restored into {file}: {'; '.join(unmet[:MAX_SHOWN])}{more}"


def note_on_graph(checkpoint: StoredCheckpoint) -> str:
    """Returns a note on the file and the problem of a graph that is not in the checkpoint's own ``.meta``, or ""."""
    file = None if checkpoint.own_meta else find_meta(checkpoint)
    if file is None:
        return ""
    try:
        problems = restore_problems(read_meta(file), stored_tensors(checkpoint.prefix))
    except (CheckpointError, RequestError) as error:
        return f"its graph is in {file.name} and cannot be used: {error}"
    if problems:
        return f"its graph is in {file.name} and cannot be used: {_unrestorable(checkpoint, file, problems)}"
    return f"its graph is in {file.name}"


def state_file_problems(catalog: Catalog) -> list[str]:
    """Returns the problems of a directory's TensorFlow state file: names of checkpoints that do not exist."""
    file = catalog.directory / STATE_FILE
    if not file.exists():
        return []
    if not catalog.listed:
        return [f"{file} names no checkpoint; tf.train.latest_checkpoint finds nothing"]
    there = {each.name for each in catalog.checkpoints}
    return [f"{file} names {name}, which is not there" for name in catalog.listed if name not in there]
