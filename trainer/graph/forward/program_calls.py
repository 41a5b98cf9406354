"""Calls of a model that is a whole program of graph mode, whose placeholders take the data of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checks import suggestion
from trainer.errors import RequestError
from trainer.graph.data.element_structure import NAMED, ElementStructure
from trainer.graph.forward.function_calls import FunctionCalls, Made
from trainer.graph.forward.function_returns import Returned, as_returned, check_runnable
from trainer.graph.forward.isolated_graph import IsolatedGraph
from trainer.graph.forward.model_calls import ModelCalls, refusing
from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.model import FunctionModel, ProgramModel, Tensors

v1 = tf.compat.v1

KEYS = ("outputs", "loss", "train_op", "metrics", "flags")
NEEDED = ("outputs", "loss")


class ProgramCalls(FunctionCalls):
    """Calls of a program: each makes its graph anew, with the data in the place of the placeholders.

    Args:
        model: Model with the program.
        structure: Form of the data; a program takes it by name.
    """

    def __init__(self, model: ProgramModel, structure: ElementStructure = NAMED) -> None:
        super().__init__(model, structure)

    def _made(self, inputs: Tensors, labels: Tensors | None, *, training: bool, seed: Any) -> Made:
        del seed
        graph = IsolatedGraph(self._name, self._variables.collections())
        data = {**inputs, **(labels or {})}
        with graph.as_default(), self._variables.shared(graph):
            with refusing(self.model, "cannot be made for", data):
                parts = self._parts()
                given = parts["outputs"], parts["loss"], parts.get("train_op"), parts.get("metrics")
                returned = as_returned(self._name, given, with_loss=labels is not None)
            check_runnable(self._name, graph, returned.values)
            loss, side_losses = ([], []) if labels is None else self._losses(returned, graph)
        self._feed(graph, data, parts.get("flags") or {}, training=training)
        self._tell(graph)
        runs = self._groups(graph, returned) if training and labels is not None else []
        return Made(graph, returned, loss, side_losses, runs)

    def _groups(self, graph: IsolatedGraph, returned: Returned) -> list[list[Any]]:
        """Returns the train ops, each alone: a loop ran one after the other."""
        runs = self._runs(graph, returned)
        return [[op] for op in runs] if returned.train_ops else [runs]

    def _parts(self) -> Mapping[str, Any]:
        """Returns what the program returned, by name.

        Raises:
            RequestError: A part is missing, or has another name.
        """
        returned = self._function()
        parts = dict(returned) if isinstance(returned, Mapping) else dict(getattr(returned, "__dict__", {}))
        for name in parts:
            if name not in KEYS:
                raise RequestError(
                    f"{self._name} returned a part {name!r}; {suggestion(str(name), KEYS)}, all by name in a dict"
                )
        for name in NEEDED:
            if parts.get(name) is None:
                raise RequestError(
                    f"{self._name} returned no {name!r}; it must return a dict, or an object with attributes: outputs "
                    "(a dict) and loss, and perhaps train_op, metrics (a dict) and flags (a dict)"
                )
        return parts

    def _feed(self, graph: IsolatedGraph, data: Tensors, flags: Mapping[str, Any], *, training: bool) -> None:
        """Puts data and flags in the place of the placeholders of their names."""
        found = self._placeholders(graph, [*data, *flags])
        for name, tensor in data.items():
            placeholder = found[name].outputs[0]
            is_number = placeholder.shape.rank == 0 or (name in flags and np.ndim(_pair(flags[name])[1]) == 0)
            # A number is there once for each example of a batch.
            graph.feed(found[name], self._as_fed(name, tensor[0] if is_number else tensor, placeholder))
        for name, value in flags.items():
            in_training, elsewhere = _pair(value)
            if training and name in data:
                continue
            if training and in_training is None:
                raise RequestError(
                    f"the flag {name!r} of {self._name} has a value for inference and none for training; feed it with "
                    f"the data, or give a pair, as flags={{{name!r}: (in training, {elsewhere!r})}}"
                )
            value = in_training if training else elsewhere
            graph.feed(found[name], tf.constant(value, found[name].outputs[0].dtype))

    def _placeholders(self, graph: IsolatedGraph, names: Sequence[str]) -> dict[str, Any]:
        captured = {inner.op for _, inner in graph.captures}
        placeholders = [op for op in graph.get_operations() if op.type in PLACEHOLDERS]
        found = {op.name: op for op in placeholders if op not in captured}
        for name in names:
            if name not in found:
                raise RequestError(
                    f"{self._name} has no placeholder {name!r} for the data or flag of that name; "
                    f"{suggestion(name, list(found))} (tf.compat.v1.placeholder(..., name={name!r}))"
                )
        return found

    def _as_fed(self, name: str, tensor: Any, placeholder: Any) -> Any:
        """Returns data as a session takes it for a placeholder."""
        if not tensor.shape.is_compatible_with(placeholder.shape):
            raise RequestError(
                f"the data {name!r} has the shape {tensor.shape}, and the placeholder of that name in {self._name} "
                f"{placeholder.shape}; change one of them"
            )
        return tensor if tensor.dtype == placeholder.dtype else tf.cast(tensor, placeholder.dtype)

    def _unfed(self, name: str, what: str) -> RequestError:
        return RequestError(
            f"the {what} of {self._name} need its placeholder {name!r}, which nothing feeds: give data of that name, "
            f"or its values for training and for inference, as flags={{{name!r}: (0.5, 1.0)}}"
        )


def _pair(flag: Any) -> tuple[Any, Any]:
    """Returns the values of a flag in training, None if the data has it, and elsewhere."""
    return flag if isinstance(flag, tuple) else (None, flag)


def calls_of(model: Any, structure: ElementStructure = NAMED) -> ModelCalls:
    """Returns the calls of a model: an object, a function or a program."""
    if isinstance(model, ProgramModel):
        return ProgramCalls(model, structure)
    return FunctionCalls(model, structure) if isinstance(model, FunctionModel) else ModelCalls(model, structure)
