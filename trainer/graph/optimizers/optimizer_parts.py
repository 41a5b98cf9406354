"""Several optimizers, each for a part of the variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import check_int, check_names, matching, suggestion
from trainer.errors import RequestError
from trainer.graph.optimizers.averages import Average, averages_of
from trainer.graph.optimizers.current_rates import RATE, current_rate
from trainer.graph.optimizers.optimizers import OptimizerStep, rate_variable, scaled_for_float16, skips_steps

v1 = tf.compat.v1


@dataclass(frozen=True)
class OptimizerPart:
    """Optimizer of a part of the variables.

    Args:
        optimizer: Optimizer of Keras 3 or of ``tf.compat.v1.train``, or of a class of one's own.
        variables: Names or patterns of the variables that it updates.
        loss: Name of the loss that it lowers, one of those that the model returns; None for their sum.
        every_n_steps: Number of steps from one update to the next; the first is in step n.

    Raises:
        TypeError, ValueError: An argument has another type, or is out of range.

    Example:
        >>> OptimizerPart(tf.compat.v1.train.FtrlOptimizer(0.1), ["wide/*"]).variables
        ('wide/*',)
    """

    optimizer: Any
    variables: Sequence[str] = ("*",)
    loss: str | None = None
    every_n_steps: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", check_names("variables", self.variables))
        check_int("every_n_steps", self.every_n_steps, minimum=1)


class Optimizers:
    """Optimizers of the parts of a model.

    Each trainable variable belongs to one part. In a step, all gradients are those before the step; or the parts
    take turns, and each sees on the same batch what the ones before it did.

    Args:
        parts: Optimizers and their variables by name.
        in_turn: Names of all parts in the order in which they are updated; None for all at once.

    Raises:
        RequestError: There are no parts, or ``in_turn`` does not name each of them once.

    Example:
        >>> adam = tf.compat.v1.train.AdamOptimizer
        >>> parts = {"d": OptimizerPart(adam(), ["d/*"], "d_loss"), "g": OptimizerPart(adam(), ["g/*"], "g_loss")}
        >>> list(Optimizers(parts, in_turn=["d", "g"]).parts)
        ['d', 'g']
    """

    def __init__(self, parts: Mapping[str, OptimizerPart], in_turn: Sequence[str] | None = None) -> None:
        check_order(parts, in_turn)
        self.parts = dict(parts) if in_turn is None else {name: parts[name] for name in in_turn}
        """Optimizers and their variables by name, in the order of their updates."""
        self.in_turn = in_turn is not None
        """True where each part sees what the parts before it did."""


def check_order(parts: Iterable[str], in_turn: Sequence[str] | None) -> None:
    """Refuses an order that does not name each part once.

    Example:
        >>> check_order(["d", "g"], ["d", "g", "d"])
        Traceback (most recent call last):
        trainer.errors.RequestError: in_turn (d, g, d) must name each part once: d, g
    """
    names = list(parts)
    if not names:
        raise RequestError("several optimizers need parts, such as parts={'all': ...}", argument="optimizer.parts")
    if in_turn is None:
        return
    for name in in_turn:
        if name not in names:
            raise RequestError(f"in_turn names {name!r}; {suggestion(name, names)}", argument="optimizer.in_turn")
    if sorted(in_turn) != sorted(names):
        raise RequestError(
            f"in_turn ({', '.join(in_turn)}) must name each part once: {', '.join(names)}", argument="optimizer.in_turn"
        )


@dataclass(frozen=True)
class BoundPart:
    """Part whose variables are known.

    Args:
        name: Name of the part; '' where it is all variables.
        step: Steps of its optimizer.
        loss: Name of the loss that it lowers, or None for their sum.
        every_n_steps: Number of steps from one update to the next.
        optimizer: Optimizer, with the scale of the loss that it may need.
    """

    name: str
    step: OptimizerStep
    loss: str | None
    every_n_steps: int
    optimizer: Any


class BoundOptimizers:
    """One or several optimizers bound to the variables that they update; make it while the graph is open.

    Args:
        optimizer: Optimizer, or several of them.
        model: Model, searched for layers that need a scaled loss.
        variables: Variables to train.
        global_step: Variable of the number of updates, int64 scalar.

    Raises:
        RequestError: A variable belongs to no part or to two, or an optimizer cannot train its variables.
    """

    def __init__(self, optimizer: Any, model: Any, variables: Sequence[Any], global_step: Any) -> None:
        self.is_one = not isinstance(optimizer, Optimizers)
        self.in_turn = not self.is_one and optimizer.in_turn
        self.parts: list[BoundPart] = []
        if self.is_one:
            scaled = scaled_for_float16(optimizer, model)
            self.parts.append(BoundPart("", OptimizerStep(scaled, variables, global_step), None, 1, scaled))
            return
        divided = divide({name: part.variables for name, part in optimizer.parts.items()}, variables)
        bound = {}
        # In the order of the names, so that names given by a count do not depend on the order of the updates.
        for name, part in sorted(optimizer.parts.items()):
            scaled = scaled_for_float16(part.optimizer, model, f"{scope_of(name)}_loss_scale")
            step = OptimizerStep(scaled, divided[name], global_step, scope_of(name))
            bound[name] = BoundPart(name, step, part.loss, part.every_n_steps, scaled)
        self.parts = [bound[name] for name in optimizer.parts]

    @property
    def skips_steps(self) -> bool:
        """True where an optimizer leaves out a step whose gradients are not finite."""
        return any(skips_steps(each.optimizer) for each in self.parts)

    @property
    def rate_variables(self) -> tuple[Any, ...]:
        """Variables of the constant learning rates, float32 scalars."""
        rates = (rate_variable(each.optimizer) for each in self.parts)
        return tuple(rate for rate in rates if rate is not None)

    @property
    def without_rate_variable(self) -> tuple[str, ...]:
        """Classes of the optimizers whose learning rate is no variable."""
        return tuple(each.step.kind for each in self.parts if rate_variable(each.optimizer) is None)

    def current_rates(self) -> dict[str, Any]:
        """Returns the learning rates of the next update by name of the metric; call it inside a ``tf.function``."""
        rates = {f"{RATE}_{each.name}" if each.name else RATE: current_rate(each.optimizer) for each in self.parts}
        return {name: rate for name, rate in rates.items() if rate is not None}

    def averages(self) -> list[Average]:
        """Returns the averages of variables that the optimizers keep; call it when the update has been built."""
        return [average for each in self.parts for average in averages_of(each.optimizer, each.step.variables)]


def scope_of(part: str) -> str:
    """Returns the scope of the variables that the optimizer of a part makes beside its slots.

    Example:
        >>> scope_of("generator")
        'optimizer_generator'
    """
    return f"optimizer_{part}"


def naming(optimizer: Any, part: str) -> dict[str, str]:
    """Returns the argument that names a Keras optimizer after its part, so that its slots have names of their own.

    Args:
        optimizer: Class of the optimizer, or function that makes it.
        part: Name of the part.

    Example:
        >>> naming(keras.optimizers.Adam, "g"), naming(tf.compat.v1.train.AdamOptimizer, "g")
        ({'name': 'optimizer_g'}, {})
    """
    is_keras = isinstance(optimizer, type) and issubclass(optimizer, keras.optimizers.Optimizer)
    return {"name": scope_of(part)} if is_keras else {}


def divide(patterns: Mapping[str, Sequence[str]], variables: Sequence[Any]) -> dict[str, list[Any]]:
    """Returns the variables of each part.

    Args:
        patterns: Names or patterns of the variables, by name of the part.
        variables: Variables to train.

    Raises:
        RequestError: A part has no variable, a variable belongs to no part or to two, or a pattern matches none.
    """
    by_name = {variable.op.name: variable for variable in variables}
    owners: dict[str, str] = {}
    divided: dict[str, list[Any]] = {}
    for part, of_part in patterns.items():
        argument = f"optimizer.parts.{part}.variables"
        if not of_part:
            raise RequestError(f"{argument} is empty; there are: {', '.join(sorted(by_name))}", argument=argument)
        try:
            found = {name for pattern in of_part for name in matching(argument, pattern, by_name, "trained variable")}
        except ValueError as error:
            raise RequestError(str(error), argument=argument) from error
        for name in sorted(found):
            if name in owners:
                first = owners[name]
                raise RequestError(
                    f"the variable {name!r} belongs to two parts, {first} ({', '.join(patterns[first])}) and {part} "
                    f"({', '.join(of_part)}); let the patterns of one match it",
                    argument=argument,
                )
            owners[name] = part
        divided[part] = [variable for name, variable in by_name.items() if name in found]
    if left := [name for name in by_name if name not in owners]:
        told = "; ".join(f"{part}: {', '.join(of_part)}" for part, of_part in patterns.items())
        raise RequestError(
            f"no optimizer updates {_first(left)}; the patterns are {told}: extend one of them, or leave the variables "
            "out with trainable",
            argument="optimizer.parts",
        )
    return divided


def _first(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
