"""Telling the optimizer's variables from the model's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from trainer.graph.variables import ROLLBACK_SCOPE

Shapes = Mapping[str, tuple[int | None, ...]]
"""Name of a variable to its shape."""

AVERAGE = "ExponentialMovingAverage"
"""The slot name of ``tf.compat.v1.train.ExponentialMovingAverage``, whose values are weights to predict with."""

POWER = re.compile(r"beta[12]_power(_\d+)?")
COUNT = re.compile(r"(_\d+)+$")
OBJECT_SLOT = "/.OPTIMIZER_SLOT/"
"""In the names that ``tf.train.Checkpoint`` gives to slots."""


def optimizer_variables(shapes: Shapes, trainable: Collection[str] | None = None) -> set[str]:
    """Returns the names of what belongs to the optimizer: slots, its counters, its learning rate.

    A trainable variable never does. Of the others these do:

    - ``<variable>/<slot>`` with the shape of ``<variable>``: how the slots of
      ``tf.compat.v1.train`` optimizers are named (``w/Adam_1``, ``w/Momentum``), except moving
      averages of weights; and their ``beta1_power``, ``beta2_power``.
    - all in the scope of a Keras 3 optimizer: ``adam``, ``adam_1`` and so on, where there is a
      scalar ``adam/iteration``.
    - what ``tf.train.Checkpoint`` marks with ``.OPTIMIZER_SLOT``.
    - what a rollback of this trainer sets.

    Args:
        shapes: of all variables of a checkpoint.
        trainable: names of the trainable ones, from the ``.meta``; None where nobody knows, and
            then ``<variable>`` may be any variable.

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
