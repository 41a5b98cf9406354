"""One update of all parts of the variables: which gradients of which loss, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.checks import suggestion
from trainer.errors import RequestError
from trainer.graph.optimizers.optimizer_parts import BoundOptimizers, BoundPart

v1 = tf.compat.v1


@dataclass(frozen=True)
class StepLosses:
    """Losses of a batch that optimizers lower, with the losses on the side.

    Args:
        total: Sum of all losses, float scalar.
        named: Losses that the model returned by name; each with all losses on the side.
    """

    total: Any
    named: Mapping[str, Any]

    def of(self, part: BoundPart) -> Any:
        """Returns the loss that a part lowers.

        Raises:
            RequestError: The model returned no loss of that name.
        """
        if part.loss is None:
            return self.total
        if part.loss not in self.named:
            argument = f"optimizer.parts.{part.name}.loss"
            if not self.named:
                raise RequestError(
                    f"{argument} is {part.loss!r}, and the model's loss has no names; let it return a dict of "
                    "losses by name",
                    argument=argument,
                )
            raise RequestError(
                f"{argument} is {part.loss!r}; the model returned no loss of that name: "
                f"{suggestion(part.loss, self.named)}",
                argument=argument,
            )
        return self.named[part.loss]


class Updates:
    """One update of all parts; it also counts the step.

    Args:
        optimizers: Optimizers bound to their variables.
        global_step: Variable of the number of updates, int64 scalar.
    """

    def __init__(self, optimizers: BoundOptimizers, global_step: Any) -> None:
        self._optimizers = optimizers
        self._global_step = global_step

    def __call__(self, losses: StepLosses, again: Callable[[], StepLosses]) -> tuple[str, ...]:
        """Adds the update to the graph; call it inside a ``tf.function``.

        Args:
            losses: Losses of the batch.
            again: Function that computes them once more, of the variables as they are then.

        Returns:
            Names of the variables that their loss does not depend on.

        Raises:
            RequestError: A loss depends on no variable of its part, or an optimizer cannot train its variables.
        """
        parts = self._optimizers.parts
        for part in parts:
            losses.of(part)
        untrained: list[str] = []
        if self._optimizers.in_turn:
            self._in_turn(losses, again, untrained)
        else:
            self._at_once(losses, untrained)
        self._global_step.assign_add(1)
        return tuple(dict.fromkeys(untrained))

    def _at_once(self, losses: StepLosses, untrained: list[str]) -> None:
        """Updates all parts by the gradients before the step; parts with the same loss share one backward pass."""
        in_each_step = [
            part for part in self._optimizers.parts if part.every_n_steps == 1 and not part.step.makes_gradients
        ]
        by_loss: dict[int, tuple[Any, list[BoundPart]]] = {}
        for part in in_each_step:
            scaled = part.step.scaled(losses.of(part))
            by_loss.setdefault(id(scaled), (scaled, []))[1].append(part)
        gradients: dict[str, Sequence[Any]] = {}
        for scaled, together in by_loss.values():
            found = iter(tf.gradients(scaled, [variable for part in together for variable in part.step.variables]))
            gradients |= {part.name: [next(found) for _ in part.step.variables] for part in together}
        for part in self._optimizers.parts:
            if part.name not in gradients:
                self._when_due(part, lambda part=part: _lower(part, losses.of(part), untrained))  # type: ignore[misc]
        for part in in_each_step:
            _apply(part, gradients[part.name], untrained)

    def _in_turn(self, losses: StepLosses, again: Callable[[], StepLosses], untrained: list[str]) -> None:
        first = self._optimizers.parts[0]
        for part in self._optimizers.parts:

            def update(part: BoundPart = part) -> None:
                _lower(part, (losses if part is first else again()).of(part), untrained)

            self._when_due(part, update)

    def _when_due(self, part: BoundPart, update: Callable[[], None]) -> None:
        if part.every_n_steps == 1:
            update()
            return

        def updated() -> Any:
            update()
            return tf.constant(0)

        is_due = tf.equal((self._global_step.read_value() + 1) % part.every_n_steps, 0)
        tf.cond(is_due, updated, lambda: tf.constant(0), name=f"update_{part.name}")


def _lower(part: BoundPart, loss: Any, untrained: list[str]) -> None:
    """Adds an update of a part that lowers a loss.

    Args:
        part: Part of the variables.
        loss: Loss, float scalar, not scaled.
        untrained: List that gets the names of the variables that the loss does not depend on.
    """
    variables = part.step.variables
    if part.step.makes_gradients:
        _reached(part, tf.gradients(loss, variables), untrained)
        part.step.lower(loss, variables)
    else:
        _apply(part, tf.gradients(part.step.scaled(loss), variables), untrained)


def _apply(part: BoundPart, gradients: Sequence[Any], untrained: list[str]) -> None:
    """Adds an update of a part by gradients, of which None stands for a variable that the loss does not depend on."""
    part.step.apply(_reached(part, gradients, untrained))


def _reached(part: BoundPart, gradients: Sequence[Any], untrained: list[str]) -> list[tuple[Any, Any]]:
    pairs = list(zip(gradients, part.step.variables, strict=True))
    untrained += [variable.op.name for gradient, variable in pairs if gradient is None]
    reached = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
    if not reached and part.name:
        raise RequestError(
            f"the loss{'' if part.loss is None else f' {part.loss!r}'} depends on no variable of the part "
            f"{part.name!r}: {', '.join(variable.op.name for variable in part.step.variables[:5])}",
            argument=f"optimizer.parts.{part.name}",
        )
    if not reached:
        raise RequestError("the loss depends on no trainable variable, so there is nothing to train")
    return reached
