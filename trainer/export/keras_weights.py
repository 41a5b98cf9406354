"""Weights of a checkpoint in a Keras model outside of any graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from trainer.checkpoints.contents import Tensor
from trainer.checkpoints.meta_graph import find_meta
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.reading.reader import TensorReader
from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.checkpoints.restoring.averages import refuse_unknown_averages, stored_averages
from trainer.checkpoints.restoring.weight_names import names_of_weights
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.checks import close_matches
from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.graphdef.averages import average_names

MAX_SHOWN = 6
"""Max number of weights in a message."""


@dataclass(frozen=True)
class FoundWeights:
    """Values of a model's weights in a checkpoint.

    Args:
        values: Values by path of the weight.
        names: Names in the file by path of the weight.
        averaged: Whether values are averages that the optimizer kept.
    """

    values: Mapping[str, Array]
    names: Mapping[str, str]
    averaged: bool


def load_into(model: keras.Layer, reference: Reference, *, weights: str | None = None) -> dict[str, str]:
    """Puts the weights of a checkpoint into a Keras model, by their names.

    All of the model's weights must be in the checkpoint with the same shapes; the checkpoint may hold more. Numbers
    that Keras counts layers with (``dense_7``) may differ.

    Args:
        model: Built Keras model or layer, outside of any graph.
        reference: Reference to the checkpoint, such as ``RUN@best``, as for ``trainer.checkpoints.find``.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.

    Returns:
        Names in the checkpoint by the path of the weight.

    Raises:
        RequestError: The model is not built, or a weight is missing or has another shape; nothing was changed.
        CheckpointError: The checkpoint is damaged.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> prefix = str(Path(tempfile.mkdtemp(), "model-1"))
        >>> stored = {"net/d/kernel": tf.ones([2, 1]), "net/d/bias": tf.zeros([1])}
        >>> _ = tf.raw_ops.SaveV2(
        ...     prefix=prefix, tensor_names=list(stored), shape_and_slices=["", ""], tensors=list(stored.values())
        ... )
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")], name="net")
        >>> load_into(model, prefix)
        {'net/d/kernel': 'net/d/kernel', 'net/d/bias': 'net/d/bias'}
        >>> model(tf.ones([1, 2])).numpy().tolist()
        [[2.0]]
    """
    _check_eager(model)
    checkpoint = resolve_checkpoint(reference)
    checkpoint.verify()
    found = find_weights(model, checkpoint, weights)
    for variable in model.weights:
        variable.assign(found.values[variable.path])
    return dict(found.names)


def find_weights(model: keras.Layer, checkpoint: StoredCheckpoint, weights: str | None = None) -> FoundWeights:
    """Returns the values of a model's weights in a checkpoint; changes nothing.

    Args:
        model: Built Keras model or layer.
        checkpoint: Verified checkpoint.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.

    Raises:
        RequestError: A weight is missing or has another shape.
        CheckpointError: The checkpoint cannot be read.
    """
    reader = TensorReader(checkpoint.prefix)
    paths = [variable.path for variable in model.weights]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise RequestError(
            f"{model.name} has two weights {twice!r}; give the layers names of their own", argument="model"
        )
    names = names_of_weights(paths, reader.tensors)
    if missing := [path for path in paths if path not in names]:
        raise RequestError(_no_weight(checkpoint, missing, reader.tensors), argument="model")
    wrong = [
        f"{each.path}: model {list(each.shape)}, checkpoint {names[each.path]} {list(shape)}"
        for each in model.weights
        if tuple(each.shape) != (shape := reader.shapes[names[each.path]])
    ]
    if wrong:
        lines = "\n  ".join(wrong[:MAX_SHOWN])
        raise RequestError(f"{checkpoint.prefix} does not fit {model.name}; nothing was loaded:\n  {lines}")
    meta = find_meta(checkpoint)
    if meta is None:
        refuse_unknown_averages(checkpoint.prefix, weights)
    averages = stored_averages(checkpoint.prefix, average_names(read_meta(meta)) if meta else {}, weights)
    source = {path: averages[name].average if name in averages else name for path, name in names.items()}
    values = {path: np.asarray(reader.value(name)) for path, name in source.items()}
    return FoundWeights(values, names, averaged=any(name in averages for name in names.values()))


def _no_weight(checkpoint: StoredCheckpoint, missing: list[str], stored: Mapping[str, Tensor]) -> str:
    more = f" and {len(missing) - 1} more of the model" if len(missing) > 1 else ""
    near = close_matches(missing[0], stored)
    few = ", ".join(sorted(stored)[:MAX_SHOWN]) + (" ..." if len(stored) > MAX_SHOWN else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {few}"
    return f"{checkpoint.prefix} has no weight {missing[0]!r}{more}; {hint}"


def _check_eager(model: keras.Layer) -> None:
    if not isinstance(model, keras.Layer):
        raise RequestError(f"model is a {type(model).__name__}; it must be a Keras model or layer", argument="model")
    if not model.weights:
        raise RequestError(
            f"{model.name} has no weights yet; build it first: call it once on a batch, or give it a keras.Input",
            argument="model",
        )
    if any(tf.is_symbolic_tensor(variable.value.handle) for variable in model.weights):
        raise RequestError(
            f"{model.name} belongs to a graph, whose values are those of a session; build it outside of tf.Graph()",
            argument="model",
        )
