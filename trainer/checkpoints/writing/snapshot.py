"""Values that a save reads: the live variables, or copies of them as of one moment."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# The class has no public name; a Saver needs it to save anything but a variable.
from tensorflow.python.training.saving.saveable_object import SaveableObject, SaveSpec

from trainer.errors import NonFiniteError
from trainer.graph.state.run_savers import origin_of, saved_tensors

v1 = tf.compat.v1

CHECKED = (tf.float16, tf.bfloat16, tf.float32, tf.float64)
"""Dtypes that TensorFlow can check; smaller ones are cast."""


class LiveValues:
    """Live values; nothing may update them until the save is done.

    Args:
        saver: Saver of the values, in the default graph.
    """

    def __init__(self, saver: Any) -> None:
        self.saver = saver
        self.finite = FiniteCheck((each.key, each.tensor) for each in saved_tensors(saver))

    def release(self, session: Any) -> None:
        """Does nothing: there is no copy."""


class Snapshot:
    """Copies of all that a Saver writes, as of one moment; training may go on while they are saved.

    The copies carry the keys and slices of the Saver, so both write the same file. A copy shares a
    resource variable's buffer until the next update of the variable, so copying costs no time. A
    released copy is deleted: between two saves, copies take no memory.

    Args:
        saver: Saver of the live values, in the default graph.
    """

    def __init__(self, saver: Any) -> None:
        # The scope is unique in the graph, so two savers of one run never share a copy.
        with tf.name_scope("snapshot") as scope:
            saved = saved_tensors(saver)
            copies = [_Copy(f"{scope}{number}", each.tensor) for number, each in enumerate(saved)]
            specs = [SaveSpec(copy.value, each.slice_spec, each.key) for copy, each in zip(copies, saved, strict=True)]
            self.saver = v1.train.Saver([_Copies(specs)], max_to_keep=0, save_relative_paths=True)
            self.finite = FiniteCheck((spec.name, spec.tensor) for spec in specs)
            self._take = tf.group(*(copy.take for copy in copies))
            self._release = tf.group(*(copy.release for copy in copies))

    def take(self, session: Any) -> None:
        """Copies all values; no step may run meanwhile."""
        session.run(self._take)

    def release(self, session: Any) -> None:
        """Frees the memory of the copies."""
        session.run(self._release)


class _Copy:
    """Tensor in a resource of its own, which is in no collection and needs no initialiser."""

    def __init__(self, shared_name: str, source: Any) -> None:
        with tf.device(source.device):
            shape = source.shape if source.shape.is_fully_defined() else tf.TensorShape(None)
            handle = tf.raw_ops.VarHandleOp(dtype=source.dtype.base_dtype, shape=shape, shared_name=shared_name)
            self.take = tf.raw_ops.AssignVariableOp(resource=handle, value=_unshared(source))
            self.release = tf.raw_ops.DestroyResourceOp(resource=handle)
            self.value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=source.dtype.base_dtype)


def _unshared(source: Any) -> Any:
    """Returns a tensor whose buffer no update writes into.

    The update of a resource variable makes a new buffer where its own is shared. Nothing else promises
    that: a reference variable is updated in place.
    """
    if origin_of(source).op.type == "ReadVariableOp" or source.dtype.base_dtype in (tf.variant, tf.resource):
        return source
    return tf.raw_ops.DeepCopy(x=source)


class _Copies(SaveableObject):  # type: ignore[misc]
    """All copies under the keys of their originals; one object, since the slices of a variable share a key."""

    def __init__(self, specs: Sequence[Any]) -> None:
        super().__init__(None, list(specs), "copies")

    def restore(self, _restored_tensors: Sequence[Any], _restored_shapes: Any) -> Any:
        """Returns the op that a Saver requires for its own restore; it never runs."""
        return tf.no_op()


class FiniteCheck:
    """Check in the graph that tensors are finite; made while the graph is open.

    Args:
        values: Names and tensors; slices of one variable share a name. Only floating-point and complex ones can fail.
    """

    def __init__(self, values: Iterable[tuple[str, Any]]) -> None:
        self._values = [(name, checked) for name, value in values if (checked := _reals(value)) is not None]
        axes = functools.cache(lambda rank: tf.constant(list(range(rank)), tf.int32))

        def check(value: Any) -> Any:
            finite, rank = tf.raw_ops.IsFinite(x=value), value.shape.rank
            # ``tf.reduce_all`` adds ops for the axes of each variable, which nets of a thousand variables start by.
            return tf.reduce_all(finite) if rank is None else tf.raw_ops.All(input=finite, axis=axes(rank))

        checks = [check(value) for _, value in self._values]
        self._finite = tf.stack(checks or [tf.constant(True)])

    def check(self, session: Any, step: int) -> None:
        """Runs the check.

        Args:
            session: Session that holds the values.
            step: Global step, for the message.

        Raises:
            NonFiniteError: A variable holds a nan or an infinity; the message names the first one.
        """
        for (name, tensor), is_finite in zip(self._values, session.run(self._finite), strict=False):
            if not is_finite:
                value = session.run(tensor).astype(np.float64)
                raise NonFiniteError(f"the variable {name}", str(value[~np.isfinite(value)][0]), step)


def _reals(value: Any) -> Any:
    """Returns the real numbers of a tensor in a dtype that can be checked; None if it has none."""
    dtype = value.dtype.base_dtype
    if dtype.is_complex:
        return tf.stack([tf.math.real(value), tf.math.imag(value)])
    if not dtype.is_floating:
        return None
    return value if dtype in CHECKED else tf.cast(value, tf.float32)
