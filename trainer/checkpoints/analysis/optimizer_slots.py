"""Detection of the optimizer's variables by name and shape."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from trainer.graphdef.op_types import ROLLBACK_SCOPE

Shapes = Mapping[str, tuple[int | None, ...]]
"""Shapes of variables by name."""

AVERAGE = "ExponentialMovingAverage"
"""Slot name of ``tf.compat.v1.train.ExponentialMovingAverage``, whose values are weights to predict with."""

POWER = re.compile(r"beta[12]_power(_\d+)?")
COUNT = re.compile(r"(_\d+)+$")
OBJECT_SLOT = "/.OPTIMIZER_SLOT/"
"""Part of the names that ``tf.train.Checkpoint`` gives to slots."""


def optimizer_variables(shapes: Shapes, trainable: Collection[str] | None = None) -> set[str]:
    """Returns the names of the optimizer's variables: slots, counters, learning rate.

    A trainable variable is never one. Of the others, these are:

    - ``<variable>/<slot>`` with the shape of ``<variable>``, as ``tf.compat.v1.train`` optimizers name
      their slots (``w/Adam_1``, ``w/Momentum``), except moving averages of weights; and their
      ``beta1_power``, ``beta2_power``.
    - all variables in the scope of a Keras 3 optimizer (``adam``, ``adam_1`` and so on), recognised by
      a scalar ``adam/iteration``.
    - variables that ``tf.train.Checkpoint`` marks with ``.OPTIMIZER_SLOT``.
    - rollback variables of this trainer.

    Args:
        shapes: Shapes of all variables of a checkpoint, by name.
        trainable: Names of the trainable variables, from the ``.meta``; None if they are not known, so
            that ``<variable>`` may be any variable.

    Example:
        >>> sorted(optimizer_variables({"w": (2,), "w/Adam": (2,), "beta1_power": (), "global_step": ()}, {"w"}))
        ['beta1_power', 'w/Adam']
    """
    scopes = {COUNT.sub("", _split(name)[0]) for name, shape in shapes.items() if _is_iteration(name, shape)}
    owners = shapes if trainable is None else trainable
    found = set()
    for name, shape in shapes.items():
        if trainable is not None and name in trainable:
            continue
        scope, last = _split(name)
        is_slot = scope in owners and shapes.get(scope) == shape and COUNT.sub("", last) != AVERAGE
        is_counter = POWER.fullmatch(last) is not None and shape == ()
        of_keras = COUNT.sub("", scope) in scopes
        if is_slot or is_counter or of_keras or OBJECT_SLOT in name or name.startswith(ROLLBACK_SCOPE):
            found.add(name)
    return found


def _is_iteration(name: str, shape: tuple[int | None, ...]) -> bool:
    scope, last = _split(name)
    return bool(scope) and last == "iteration" and shape == ()


def _split(name: str) -> tuple[str, str]:
    scope, _, last = name.rpartition("/")
    return scope, last
