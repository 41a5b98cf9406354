"""Models as a user gives them, made while the graph is open."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError, describe
from trainer.graph.ops.find_instances import find_instances
from trainer.model import FunctionModel, ProgramModel

GRAPH_MODE = ("inputs", "labels", "training")
"""Arguments of a function of graph mode."""

FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, partial)
EXPECTED = (
    "it must be a model (an object with __call__(inputs, training) and loss(outputs, labels)), its class, a function "
    "without arguments that makes one, a function build(inputs, labels, training) of graph mode, or a Keras model"
)


def model_maker(given: Any) -> Callable[[], Any]:
    """Returns a function that makes a model of the contract ``trainer.Model`` while the graph is open.

    An object is copied, so that each run begins with it as it was given.

    Args:
        given: Model, its class, or a function without arguments that makes one.

    Raises:
        RequestError: The value is none of these, or the object has variables that are in no graph.
    """
    if isinstance(given, FunctionModel | ProgramModel):
        return lambda: given
    if is_of_graph_mode(given):
        return lambda: FunctionModel(given)
    if isinstance(given, (type, *FUNCTIONS)):
        _check_needs_nothing(given)
        return given
    if not callable(given):
        raise RequestError(f"model is a {type(given).__name__}; {EXPECTED}", argument="model")
    _check_is_of_no_graph(given)
    try:
        untouched = copy.deepcopy(given)
    except Exception as error:
        raise RequestError(
            f"the model {type(given).__name__} cannot be copied for the run ({describe(error)}); {_as_class(given)}",
            argument="model",
        ) from error
    # A second run of the same call would find what the first has made.
    return lambda: copy.deepcopy(untouched)


def describe_model(given: Any) -> str:
    """Returns what a resume compares: the name of the class or function."""
    if isinstance(given, FunctionModel | ProgramModel):
        return describe_model(given.function if isinstance(given, FunctionModel) else given.program)
    named = given if isinstance(given, (type, *FUNCTIONS)) else type(given)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', type(named).__name__)}"


def is_of_graph_mode(given: Any) -> bool:
    """Returns whether a model is a function of graph mode, of inputs, labels and training, or a program.

    Example:
        >>> is_of_graph_mode(lambda inputs, labels, training: inputs), is_of_graph_mode(lambda: None)
        (True, False)
    """
    if isinstance(given, FunctionModel | ProgramModel):
        return True
    if not isinstance(given, FUNCTIONS):
        return False
    try:
        parameters = inspect.signature(given).parameters.values()
    except (ValueError, TypeError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len([each for each in parameters if each.kind in kinds and each.default is each.empty]) == len(GRAPH_MODE)


def _check_needs_nothing(given: Any) -> None:
    try:
        parameters = inspect.signature(given).parameters.values()
    except (ValueError, TypeError):
        return
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if needed := [each.name for each in parameters if each.default is each.empty and each.kind not in kinds]:
        name = getattr(given, "__name__", type(given).__name__)
        if len(needed) > 1 and isinstance(given, FUNCTIONS):
            raise RequestError(
                f"model: {name} has the parameters {', '.join(needed)}; a function of graph mode has "
                f"{', '.join(GRAPH_MODE)}, and others with defaults: wrap it in such a function",
                argument="model",
            )
        raise RequestError(
            f"model: {name} needs {', '.join(needed)}; give a function without arguments that makes the model, such as "
            f"lambda: {name}({needed[0]}=...)",
            argument="model",
        )


def _check_is_of_no_graph(given: Any) -> None:
    """Refuses an object whose constructor has made variables or layers: those of another graph, or of none."""
    variables = [each for each in _attributes(given) if isinstance(each, tf.Variable | keras.Variable)]
    layers = [each for each in find_instances(given, keras.layers.Layer) if each.weights]
    modules = [each for each in find_instances(given, tf.Module) if each.variables]
    if found := [*variables, *layers, *modules]:
        what = type(found[0]).__name__
        raise RequestError(
            f"the model {type(given).__name__} holds a {what} with values that were made outside the graph of the run; "
            f"{_as_class(given)}",
            argument="model",
        )


def _attributes(given: Any) -> list[Any]:
    return list(vars(given).values()) if hasattr(given, "__dict__") else []


def _as_class(given: Any) -> str:
    return f"give its class, or a function that makes it: model=lambda: {type(given).__name__}(...)"
