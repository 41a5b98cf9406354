"""Averages of the trained variables that an optimizer keeps, in the place of the variables for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.graph.ops.find_instances import find_instances
from trainer.graph.ops.variables import key_of, slice_spec_of
from trainer.graphdef.averages import COLLECTION, AverageName

v1 = tf.compat.v1


@dataclass(frozen=True)
class Average:
    """Average of a variable.

    Args:
        variable: Trained variable.
        average: Variable of its average.
        count: Variable of the updates of the averages, 0 while the average has no value yet; None if it
            always has one.
    """

    variable: Any
    average: Any
    count: Any

    @property
    def name(self) -> AverageName:
        """Names of the three variables."""
        count = None if self.count is None else self.count.op.name
        return AverageName(self.variable.op.name, key_of(self.average), count, slice_spec_of(self.average))


class Averages:
    """Averages that evaluations and exports use instead of the trained variables.

    Make it while the graph is open. The ``.meta`` names the averages in a collection of strings.

    Args:
        averages: Averages of variables.
    """

    def __init__(self, averages: Sequence[Average]) -> None:
        self.names = {each.variable.op.name: each.name for each in averages}
        """Names of the averages by the name of the variable."""
        for each in self.names.values():
            v1.add_to_collection(COLLECTION, each.to_json())
        with tf.name_scope("averages") as scope:
            self.values = {each.variable.op.name: _value(each) for each in averages}
            """Tensors of the averages by the name of the variable."""
            kept = [_Kept(scope, each.variable) for each in averages]
            with tf.control_dependencies([*self.values.values(), *(each.keep for each in kept)]):
                self._put = tf.group(*(each.variable.assign(self.values[each.variable.op.name]) for each in averages))
            self._take_back = tf.group(*(each.put_back for each in kept))

    @contextlib.contextmanager
    def in_place(self, session: Any) -> Iterator[None]:
        """Puts the averages in the place of the variables, and at the end the same bits of the variables back.

        No step may run and nothing may be saved inside the block.
        """
        session.run(self._put)
        try:
            yield
        finally:
            session.run(self._take_back)


class _Kept:
    """Copy of a variable in a resource that no collection has; it shares the variable's buffer."""

    def __init__(self, scope: str, variable: Any) -> None:
        name, dtype = variable.op.name, variable.dtype.base_dtype
        handle = tf.raw_ops.VarHandleOp(
            dtype=dtype, shape=variable.shape, shared_name=f"{scope}{name}", name=name.replace(":", "_")
        )
        self.keep = tf.raw_ops.AssignVariableOp(resource=handle, value=variable.read_value())
        assigned = variable.assign(tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype), read_value=False)
        with tf.control_dependencies([assigned]):
            self.put_back = tf.raw_ops.DestroyResourceOp(resource=handle)


def _value(average: Average) -> Any:
    value = average.average.read_value()
    if average.count is None:
        return value
    return tf.where(average.count.read_value() > 0, value, average.variable.read_value())


def averages_of(optimizer: Any, variables: Sequence[Any]) -> list[Average]:
    """Returns the averages of trained variables that an optimizer keeps, or one that it wraps.

    They are those of Keras's ``use_ema`` and of a ``tf.train.ExponentialMovingAverage``. Call it when the
    update has been built: the latter makes its variables there.

    Args:
        optimizer: Optimizer of the run.
        variables: Trained variables.
    """
    found: dict[str, Average] = {}
    for each in _and_wrapped(optimizer):
        if isinstance(each, keras.optimizers.Optimizer):
            if each.use_ema:
                trained = [_native(variable) for variable in each._trainable_variables]
                pairs = zip(trained, each._model_variables_moving_average, strict=True)
                found |= {v.op.name: Average(v, _native(a), each._iterations.value) for v, a in pairs if a is not None}
        else:
            averaged = [(variable, each.average(variable)) for variable in variables]
            found |= {v.op.name: Average(v, average, None) for v, average in averaged if average is not None}
    return list(found.values())


def _and_wrapped(optimizer: Any) -> list[Any]:
    """Returns an optimizer and the optimizers and averages in its attributes, at any depth."""
    kinds = keras.optimizers.Optimizer, v1.train.Optimizer, tf.train.ExponentialMovingAverage
    found: dict[int, Any] = {}
    waiting = [optimizer]
    while waiting:
        each = waiting.pop()
        if id(each) in found:
            continue
        found[id(each)] = each
        waiting += [inner for kind in kinds for inner in find_instances(dict(vars(each)), kind)]
    own = (keras.optimizers.Optimizer, tf.train.ExponentialMovingAverage)
    return [each for each in found.values() if isinstance(each, own)]


def _native(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def chosen_averages(averages: Averages | None, weights: str | None) -> Averages | None:
    """Returns the averages to use, or None for the trained variables.

    Args:
        averages: Averages that the optimizer keeps, or None.
        weights: ``averaged``, ``trained``, or None for averages where there are any.

    Raises:
        ValueError: Averages are wanted, and the optimizer keeps none.
    """
    if weights == "averaged" and averages is None:
        raise ValueError("weights=averaged needs an optimizer that keeps averages, such as one with use_ema=true")
    return None if weights == "trained" else averages
