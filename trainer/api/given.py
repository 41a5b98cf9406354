"""Parts of a training from Python: how they are made in the graph, and what the model gets back from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from trainer.api.data import describe_data, source_of
from trainer.api.keras_models import RebuiltKerasModel
from trainer.api.models import describe_model, is_of_graph_mode, model_maker
from trainer.api.optimizers import describe_optimizer, maker_of_optimizer
from trainer.api.recorder import ReadValues
from trainer.errors import RequestError
from trainer.graph.data.data_source import DataSource
from trainer.graph.state.keras_state import keras_state_kept
from trainer.model import Model
from trainer.models.keras_compiled import Compiled
from trainer.models.keras_model import KerasModel


@dataclass(frozen=True)
class GivenModel:
    """Model as ``fit`` uses it.

    Args:
        make: Function that makes the model while the graph is open.
        description: Text that a resume compares.
        optimizer: Optimizer that the model has, or None.
        may_train_itself: Whether the model may make its own train op.
        floats: Dtype to which arrays of floating-point numbers are cast, or None.
        read_values: Function that prepares the reading of trained values, or None.
        take: Function that gives the object of the user the values that were read.
        take_from: Function that gives it the values of a checkpoint, by its prefix.
    """

    make: Callable[[], Model]
    description: str
    optimizer: Any = None
    may_train_itself: bool = False
    floats: Any = None
    read_values: ReadValues | None = None
    take: Callable[[Any], None] = lambda _values: None
    take_from: Callable[[Path], None] = lambda _prefix: None


@dataclass(frozen=True)
class GivenParts:
    """Model, optimizer and data as ``fit`` uses them.

    Args:
        model: Model.
        make_optimizer: Function of global step and scale of the rate that makes the optimizer; None without one.
        rate_can_be_scaled: Whether the optimizer uses the scale.
        data: Source of the data.
        description: Values that a resume compares, by the name of the argument.
    """

    model: GivenModel
    make_optimizer: Callable[[Any, Any], Any] | None
    rate_can_be_scaled: bool
    data: DataSource
    description: dict[str, Any]


def given_parts(given: Mapping[str, Any], options: Mapping[str, Any]) -> GivenParts:
    """Returns model, optimizer and data as ``fit`` uses them; waits while another thread builds a graph.

    Args:
        given: Model, optimizer, loss, metrics, class weights, data and validation as the user gave them.
        options: Options of the data.

    Raises:
        RequestError: One of them cannot be used.
    """
    with keras_state_kept():
        if hasattr(given["optimizer"], "shape"):
            what = type(given["optimizer"]).__name__
            raise RequestError(
                f"optimizer is a {what}; give inputs and labels together: fit(model, (inputs, labels), optimizer)",
                argument="optimizer",
            )
        model = given_model(*(given[name] for name in ("model", "loss", "metrics", "class_weight")))
        optimizer = model.optimizer if given["optimizer"] is None else given["optimizer"]
        if optimizer is None and not model.may_train_itself:
            raise RequestError("no optimizer is given; add one, such as 'adam'", argument="optimizer")
        make, can_be_scaled = (None, False) if optimizer is None else maker_of_optimizer(optimizer)
        data = source_of(given["data"], given["validation"], floats=model.floats, **options)
        description = {
            "model": model.description,
            "optimizer": describe_optimizer(optimizer),
            "data": describe_data(data),
            "batch_size": options["batch_size"],
        }
    return GivenParts(model, make, can_be_scaled, data, description)


def given_model(model: Any, loss: Any, metrics: Any, class_weight: Any) -> GivenModel:
    """Returns a model as ``fit`` uses it.

    Args:
        model: Model as the user gave it.
        loss: Loss of a Keras model, or None.
        metrics: Metrics of a Keras model, or None.
        class_weight: Weights of classes for a Keras model, or None.

    Raises:
        RequestError: The model is none, or has a loss and metrics of its own.
    """
    policy = keras.config.dtype_policy()
    of_keras = {"loss": loss, "metrics": metrics, "class_weight": class_weight}

    def in_precision(make: Callable[[], Any]) -> Callable[[], Model]:
        # The graph is built with the state of a new process, and the user may have chosen a precision.
        def made() -> Model:
            keras.config.set_dtype_policy(policy)
            model = make()
            return KerasModel(model, **of_keras) if _is_of_keras(model) else _with_own_loss(model, of_keras)

        return made

    if isinstance(model, keras.Model) and _is_of_keras(model):
        rebuilt = RebuiltKerasModel(model, Compiled(loss=loss, metrics=metrics), class_weight)
        return GivenModel(
            make=in_precision(rebuilt.make),
            description=describe_model(model),
            optimizer=rebuilt.optimizer,
            floats=keras.config.floatx(),
            read_values=rebuilt.read_values,
            take=rebuilt.take,
            take_from=rebuilt.take_from,
        )
    make = model_maker(model)
    if not isinstance(model, type) and hasattr(model, "loss"):
        _with_own_loss(model, of_keras)
    return GivenModel(in_precision(make), describe_model(model), may_train_itself=is_of_graph_mode(model))


def _is_of_keras(model: Any) -> bool:
    """Returns whether a model is a Keras model without a method ``loss`` of its class, which the contract has."""
    ours = getattr(type(model), "loss", None)
    return isinstance(model, keras.Model) and (ours is None or ours is getattr(keras.Model, "loss", None))


def _with_own_loss(model: Any, of_keras: dict[str, Any]) -> Any:
    for name, value in of_keras.items():
        if value is not None and not isinstance(model, KerasModel):
            raise RequestError(
                f"{name} is for a Keras model; {type(model).__name__} is none, and has its own method loss",
                argument=name,
            )
    return model
