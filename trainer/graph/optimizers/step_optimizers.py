"""Optimizers as a model's own training step gets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import suggestion
from trainer.errors import RequestError
from trainer.graph.optimizers.optimizer_parts import BoundPart

ONLY = "optimizer"
"""Name of the one optimizer of a run whose optimizers have no names."""


class StepOptimizer:
    """Optimizer that a model's own training step uses, over the variables of its part.

    It counts no step: each call of ``train_step`` is one.

    Args:
        part: Part of the variables.

    Example:
        >>> def train_step(self, inputs, labels, optimizers):
        ...     loss = self.loss(self(inputs, training=True), labels)
        ...     optimizers["optimizer"].minimize(loss)
        ...     return {"loss": loss}
    """

    def __init__(self, part: BoundPart) -> None:
        self._part = part
        self._known = {variable.ref(): variable for variable in part.step.variables}
        self.reached: set[str] = set()
        """Names of the variables that the step has updated."""
        self.lowered: list[Any] | None = []
        """Losses that the step has lowered; None where it came with gradients."""

    @property
    def variables(self) -> list[Any]:
        """Variables of the part, ``tf.Variable`` each."""
        return list(self._part.step.variables)

    def scale_loss(self, loss: Any) -> Any:
        """Returns the loss whose gradients ``apply_gradients`` takes; another one where the optimizer scales it."""
        return self._part.step.scaled(loss)

    def gradients(self, loss: Any, variables: Sequence[Any] | None = None) -> list[tuple[Any, Any]]:
        """Returns the gradients of a loss, as ``apply_gradients`` takes them, and their variables.

        Args:
            loss: Float scalar, not scaled.
            variables: Variables of the part; None for all.

        Raises:
            RequestError: A variable is not one of the part, or the loss depends on none of them.
        """
        chosen = self.variables if variables is None else [self._own(each) for each in variables]
        pairs = list(zip(tf.gradients(self.scale_loss(loss), chosen), chosen, strict=True))
        if all(gradient is None for gradient, _ in pairs):
            raise RequestError(
                f"train_step lowers a loss that depends on none of {', '.join(each.op.name for each in chosen[:5])}; "
                "compute it in train_step, of these variables"
            )
        return pairs

    def minimize(self, loss: Any, variables: Sequence[Any] | None = None) -> None:
        """Updates the variables by one step that lowers a loss.

        Args:
            loss: Float scalar, not scaled.
            variables: Variables of the part; None for all.

        Raises:
            RequestError: A variable is not one of the part, or the loss depends on none of them.
        """
        pairs = self.gradients(loss, variables)
        if not self._part.step.makes_gradients:
            self._apply(pairs)
        else:
            self._part.step.lower(loss, [variable for _, variable in pairs])
            self.reached |= {variable.op.name for gradient, variable in pairs if gradient is not None}
        if self.lowered is not None:
            self.lowered.append(loss)

    def apply_gradients(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Updates variables by gradients of ``scale_loss(loss)``; a gradient may be None.

        Raises:
            RequestError: A variable is not one of the part, or there is no gradient.
        """
        pairs = [(gradient, self._own(variable)) for gradient, variable in pairs]
        if all(gradient is None for gradient, _ in pairs):
            raise RequestError("train_step calls apply_gradients without a gradient")
        self.lowered = None
        self._apply(pairs)

    def _apply(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        given = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        self._part.step.apply(given)
        self.reached |= {variable.op.name for _, variable in given}

    def _own(self, variable: Any) -> Any:
        native = variable.value if isinstance(variable, keras.Variable) else variable
        if native.ref() not in self._known:
            names = [each.op.name for each in self.variables]
            raise RequestError(
                f"train_step gives {native.op.name!r} to the optimizer {self._part.name or ONLY!r}, which updates "
                f"other variables: {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"
            )
        return self._known[native.ref()]


class StepOptimizers(Mapping[str, StepOptimizer]):
    """Optimizers by the names of their parts; the only one of a run without parts is ``optimizer``.

    Args:
        parts: Parts of the variables.

    Example:
        >>> list(StepOptimizers([]))
        []
    """

    def __init__(self, parts: Sequence[BoundPart]) -> None:
        self._by_name = {part.name or ONLY: StepOptimizer(part) for part in parts}

    def __getitem__(self, name: str) -> StepOptimizer:
        if name not in self._by_name:
            raise RequestError(f"train_step asks for an optimizer {name!r}; {suggestion(name, self._by_name)}")
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)
