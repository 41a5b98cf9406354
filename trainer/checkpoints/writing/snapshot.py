"""Values that a save reads: the live variables, or copies of them as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# The class has no public name; a Saver needs it to save anything but a variable.
from tensorflow.python.training.saving.saveable_object import SaveableObject, SaveSpec

from trainer.errors import NonFiniteError

v1 = tf.compat.v1


class LiveValues:
    """Live variables; nothing may update them until the save is done.

    Args:
        saver: Saver of the values.
        variables: Variables that must be finite, by name.
    """

    def __init__(self, saver: Any, variables: Mapping[str, Any]) -> None:
        self.saver = saver
        self.finite = FiniteCheck({name: variable.read_value() for name, variable in variables.items()})

    def release(self, session: Any) -> None:
        """Does nothing: there is no copy."""


class Snapshot:
    """Copies of the variables as of one moment; training may go on while they are saved.

    A copy shares the variable's buffer until the next update of the variable, so copying costs no
    time. A released copy is deleted: between two saves, copies take no memory.

    Args:
        variables: Variables by their names in the file.
        pipelines: Saveable objects that hold the positions of data pipelines.
    """

    def __init__(self, variables: Mapping[str, Any], pipelines: Sequence[Any]) -> None:
        sources = {name: variable.read_value() for name, variable in variables.items()}
        sources |= {spec.name: spec.tensor for pipeline in pipelines for spec in pipeline.specs}
        # The scope is unique in the graph, so two savers of one run never share a copy.
        with tf.name_scope("snapshot") as scope:
            copies = [_Copy(scope, name, source) for name, source in sources.items()]
            self.saver = v1.train.Saver(copies, max_to_keep=0, save_relative_paths=True)
            self.finite = FiniteCheck({copy.name: copy.value for copy in copies})
            self._take = tf.group(*(copy.take for copy in copies))
            self._release = tf.group(*(copy.release for copy in copies))

    def take(self, session: Any) -> None:
        """Copies all variables; no step may run meanwhile."""
        session.run(self._take)

    def release(self, session: Any) -> None:
        """Frees the memory of the copies."""
        session.run(self._release)


class _Copy(SaveableObject):  # type: ignore[misc]
    """Tensor in a resource of its own, which is in no collection and needs no initialiser."""

    def __init__(self, scope: str, name: str, source: Any) -> None:
        kind = {"dtype": source.dtype, "shape": tf.TensorShape(None)}
        self._handle = tf.raw_ops.VarHandleOp(**kind, shared_name=f"{scope}{name}", name=name.replace(":", "_"))
        self.take = tf.raw_ops.AssignVariableOp(resource=self._handle, value=source)
        self.release = tf.raw_ops.DestroyResourceOp(resource=self._handle)
        self.value = tf.raw_ops.ReadVariableOp(resource=self._handle, dtype=source.dtype)
        super().__init__(self._handle, [SaveSpec(self.value, "", name)], name)

    def restore(self, restored_tensors: Sequence[Any], _restored_shapes: Any) -> Any:
        """Returns the op that a Saver requires for its own restore; it never runs."""
        return tf.raw_ops.AssignVariableOp(resource=self._handle, value=restored_tensors[0])


class FiniteCheck:
    """Check in the graph that tensors are finite; made while the graph is open.

    Args:
        values: Tensors by the names of their variables; tensors of other than floating-point dtypes always pass.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value.dtype.is_floating}
        checks = [tf.reduce_all(tf.math.is_finite(value)) for value in self._values.values()]
        self._finite = tf.stack(checks or [tf.constant(True)])

    def check(self, session: Any, step: int) -> None:
        """Runs the check.

        Args:
            session: Session that holds the values.
            step: Global step, for the message.

        Raises:
            NonFiniteError: A variable holds a nan or an infinity; the message names the first one.
        """
        for name, is_finite in zip(self._values, session.run(self._finite), strict=False):
            if not is_finite:
                value = session.run(self._values[name])
                raise NonFiniteError(f"the variable {name}", str(value[~np.isfinite(value)][0]), step)
