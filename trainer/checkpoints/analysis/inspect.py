"""What a checkpoint holds: its variables with a few figures each, and whether all of it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainer.checkpoints.analysis.optimizer_slots import optimizer_variables
from trainer.checkpoints.catalog import Catalog
from trainer.checkpoints.meta_graph import find_meta
from trainer.checkpoints.meta_reader import read_graph_of, read_meta, trainable_names
from trainer.checkpoints.reader import TensorReader
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.checkpoints.store import STATE_FILE
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError


@dataclass(frozen=True)
class Variable:
    """A variable in a checkpoint.

    Args:
        name: in the file.
        dtype: such as ``float32``.
        shape: () for a scalar.
        parameters: elements.
        size: bytes.
        of_optimizer: whether it is a slot or another variable of the optimizer.
        trainable: None where no ``.meta`` tells.
        mean: None for what is no number.
        norm: Euclidean; None for what is no number.
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


def variables_of(checkpoint: StoredCheckpoint) -> list[Variable]:
    """Returns the variables of a checkpoint, by name; reads every tensor.

    Which are trainable is known from its graph, where there is one. What belongs to the optimizer is told
    by names, as ``trainer.checkpoints.analysis.optimizer_slots.optimizer_variables`` has it.

    Raises:
        CheckpointError: it cannot be read.

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
    of_optimizer = optimizer_variables(reader.shapes, trainable)
    return [
        _variable(reader, name, name in of_optimizer, None if trainable is None else name in trainable)
        for name in reader.tensors
    ]


def _variable(reader: TensorReader, name: str, of_optimizer: bool, trainable: bool | None) -> Variable:
    tensor = reader.tensors[name]
    value = np.zeros(0) if reader.is_opaque(name) else reader.value(name)
    mean, norm = _mean_and_norm(value)
    return Variable(name, tensor.dtype, tensor.shape, value.size, value.nbytes, of_optimizer, trainable, mean, norm)


def _mean_and_norm(value: Array) -> tuple[float | None, float | None]:
    """Returns both in float64; None for strings, truth values and what is empty or complex."""
    numbers = as_numbers(value)
    if numbers is None or not numbers.size:
        return None, None
    return float(numbers.mean()), float(np.linalg.norm(numbers.ravel()))


def as_numbers(value: Array) -> Array | None:
    """Returns a value as float64, or None for what is no real number."""
    # bfloat16 and its like are of kind V to numpy, and convert.
    return None if value.dtype.kind in "OSUbc" else value.astype(np.float64)


def verify(reference: Reference) -> list[str]:
    """Returns the problems of one checkpoint; [] where every byte is as it was written.

    Args:
        reference: Prefix, directory or ``DIRECTORY@WHICH``, as ``trainer.checkpoints.find`` takes it.

    Raises:
        RequestError: There is no such checkpoint.
    """
    return problems_of(resolve_checkpoint(reference, allow_damaged=True))


def problems_of(checkpoint: StoredCheckpoint) -> list[str]:
    """Returns what is wrong with a checkpoint; [] where every byte is as it was written.

    Every tensor is read and compared with its CRC, its own ``.meta`` is parsed, and with a commit
    record the checksum of each file is compared too. A ``.meta`` that another checkpoint left is no
    part of it: ``note_on_graph`` tells of that.
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
        if checkpoint.own_meta:
            read_meta(checkpoint.own_meta)
    except CheckpointError as error:
        yield str(error)
        return
    for name in reader.readable:
        try:
            reader.value(name)
        except CheckpointError as error:
            yield str(error)


def note_on_graph(checkpoint: StoredCheckpoint) -> str:
    """Returns where the graph of a checkpoint without a ``.meta`` of its own is, and what is wrong with it; else ""."""
    file = None if checkpoint.own_meta else find_meta(checkpoint)
    if file is None:
        return ""
    try:
        read_meta(file)
    except (CheckpointError, RequestError) as error:
        return f"its graph is in {file.name} and cannot be used: {error}"
    return f"its graph is in {file.name}"


def state_file_problems(catalog: Catalog) -> list[str]:
    """Returns what is wrong with TensorFlow's own list of a directory: names of files that are not there."""
    file = catalog.directory / STATE_FILE
    if not file.exists():
        return []
    if not catalog.listed:
        return [f"{file} names no checkpoint; tf.train.latest_checkpoint finds nothing"]
    there = {each.name for each in catalog.checkpoints}
    return [f"{file} names {name}, which is not there" for name in catalog.listed if name not in there]
