"""Ragged and sparse tensors as dense tensors by name, which placeholders, loops and exports can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError

COMPOSITES = (tf.RaggedTensorSpec, tf.SparseTensorSpec)
"""Specs of tensors that consist of several dense tensors."""


def is_composite(spec: Any) -> bool:
    """Returns whether a spec is that of a ragged or sparse tensor; one without ragged rows is a plain tensor."""
    return isinstance(spec, tf.SparseTensorSpec) or (isinstance(spec, tf.RaggedTensorSpec) and spec.ragged_rank > 0)


def component_specs(name: str, spec: Any) -> dict[str, Any]:
    """Returns the specs of the dense tensors of a batch of one name.

    Args:
        name: Name of the tensor.
        spec: Spec of the batch: dense, ragged or sparse.

    Raises:
        RequestError: The tensor has an unknown rank, or is neither of the three.

    Example:
        >>> list(component_specs("ids", tf.RaggedTensorSpec([None, None], tf.int64)))
        ['ids_values', 'ids_row_splits']
        >>> list(component_specs("ids", tf.SparseTensorSpec([None, 9], tf.int64)))
        ['ids_indices', 'ids_values', 'ids_dense_shape']
    """
    if not isinstance(spec, (tf.TensorSpec, *COMPOSITES)):
        raise RequestError(
            f"data {name!r} is a {type(spec).__name__.removesuffix('Spec')}; it must be a tensor, a ragged or a sparse "
            "tensor",
            argument="dataset",
        )
    if spec.shape.rank is None:
        raise RequestError(
            f"data {name!r} has an unknown number of axes; give it one in the data set's map, with "
            f"tf.ensure_shape(..., [None, None, 3]) or set_shape",
            argument="dataset",
        )
    if isinstance(spec, tf.SparseTensorSpec):
        rank = spec.shape.rank
        return {
            f"{name}_indices": tf.TensorSpec([None, rank], tf.int64, f"{name}_indices"),
            f"{name}_values": tf.TensorSpec([None], spec.dtype, f"{name}_values"),
            f"{name}_dense_shape": tf.TensorSpec([rank], tf.int64, f"{name}_dense_shape"),
        }
    if is_composite(spec):
        inner = spec.shape[spec.ragged_rank + 1 :]
        splits = {each: tf.TensorSpec([None], spec.row_splits_dtype, each) for each in _splits(name, spec)}
        values = f"{name}_values"
        return {values: tf.TensorSpec([None, *inner], spec.dtype, values), **splits}
    if spec.shape.rank == 0:
        raise RequestError(
            f"data {name!r} is a scalar in a batch; the first axis of each must be the examples", argument="dataset"
        )
    return {name: tf.TensorSpec([None, *spec.shape[1:]], spec.dtype, name)}


def components(name: str, tensor: Any) -> dict[str, Any]:
    """Returns the dense tensors that a tensor of a batch consists of, by name."""
    if isinstance(tensor, tf.SparseTensor):
        return {
            f"{name}_indices": tensor.indices,
            f"{name}_values": tensor.values,
            f"{name}_dense_shape": tensor.dense_shape,
        }
    if isinstance(tensor, tf.RaggedTensor):
        names = _splits(name, tensor)
        return {
            f"{name}_values": tensor.flat_values,
            **dict(zip(names, tensor.nested_row_splits, strict=True)),
        }
    return {name: tensor}


def composed(name: str, spec: Any, tensors: Mapping[str, Any]) -> Any:
    """Returns the ragged or sparse tensor of a batch from its dense tensors by name.

    Args:
        name: Name of the tensor.
        spec: Spec of the batch.
        tensors: Dense tensors by name; others are left alone.
    """
    if isinstance(spec, tf.SparseTensorSpec):
        sizes = tf.unstack(tensors[f"{name}_dense_shape"], spec.shape.rank)
        # Sizes that are known stay known to the ops that make a dense tensor of it.
        known = [size if each is None else tf.constant(each, tf.int64) for size, each in zip(sizes, spec.shape)]  # noqa: B905 - TensorShape has no len that strict needs
        return tf.SparseTensor(tensors[f"{name}_indices"], tensors[f"{name}_values"], tf.stack(known))
    splits = [tensors[each] for each in _splits(name, spec)]
    return tf.RaggedTensor.from_nested_row_splits(tensors[f"{name}_values"], splits, validate=False)


def rows(name: str, spec: Any, tensors: Mapping[str, Any]) -> Any:
    """Returns the number of rows of a tensor of a batch, int32 scalar, from its dense tensors by name."""
    if isinstance(spec, tf.SparseTensorSpec):
        return tf.cast(tensors[f"{name}_dense_shape"][0], tf.int32)
    if is_composite(spec):
        return tf.shape(tensors[_splits(name, spec)[0]])[0] - 1
    return tf.shape(tensors[name])[0]


def _splits(name: str, ragged: Any) -> list[str]:
    """Returns the names of the row splits of a ragged tensor or its spec, the outermost first."""
    if ragged.ragged_rank == 1:
        return [f"{name}_row_splits"]
    return [f"{name}_row_splits_{axis}" for axis in range(ragged.ragged_rank)]
