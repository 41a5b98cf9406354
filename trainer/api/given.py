"""Model of a training from Python: how it is made in the graph, and what it gets back from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from trainer.api.models import describe_model, model_maker
from trainer.api.recorder import ReadValues
from trainer.errors import RequestError
from trainer.model import Model


@dataclass(frozen=True)
class GivenModel:
    """Model as ``fit`` uses it.

    Args:
        make: Function that makes the model while the graph is open.
        description: Text that a resume compares.
        optimizer: Optimizer that the model has, or None.
        floats: Dtype to which arrays of floating-point numbers are cast, or None.
        read_values: Function that prepares the reading of trained values, or None.
        take: Function that gives the object of the user the values that were read.
        take_from: Function that gives it the values of a checkpoint, by its prefix.
    """

    make: Callable[[], Model]
    description: str
    optimizer: Any = None
    floats: Any = None
    read_values: ReadValues | None = None
    take: Callable[[Any], None] = lambda _values: None
    take_from: Callable[[Path], None] = lambda _prefix: None


def given_model(model: Any, loss: Any, metrics: Any) -> GivenModel:
    """Returns a model as ``fit`` uses it.

    Args:
        model: Model as the user gave it.
        loss: Loss of a Keras model, or None.
        metrics: Metrics of a Keras model, or None.

    Raises:
        RequestError: The model is none, or has a loss and metrics of its own.
    """
    make = model_maker(model)
    for name, value in {"loss": loss, "metrics": metrics}.items():
        if value is not None:
            raise RequestError(
                f"{name} is for a Keras model; {describe_model(model)} has its own method {name}(outputs, labels)",
                argument=name,
            )
    policy = keras.config.dtype_policy()

    def in_precision() -> Model:
        # The graph is built with the state of a new process, and the user may have chosen a precision.
        keras.config.set_dtype_policy(policy)
        return make()

    return GivenModel(in_precision, describe_model(model))
