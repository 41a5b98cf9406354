"""Choice of the variables to train."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import matching
from trainer.errors import RequestError
from trainer.graph.ops.find_instances import find_instances

v1 = tf.compat.v1


def trainable_variables(model: Any, patterns: Sequence[str] | None = None) -> list[Any]:
    """Returns the trainable variables of the default graph without those of frozen Keras layers.

    ``layer.trainable = False`` affects Keras alone: the variable stays in the graph's collection.
    A layer without a variable among the chosen ones is frozen in Keras too: a BatchNormalization
    then normalises with its stored averages and no longer updates them.

    Args:
        model: Model, searched for Keras layers.
        patterns: Patterns of the names of the variables to train, such as ``head/*``; None for all.

    Raises:
        RequestError: The model has no trainable variable or one of the old kind, or a pattern matches none.
    """
    frozen = set()
    layers = find_instances(model, keras.Layer)
    take_over_constraints(layers)
    for layer in layers:
        trainable = {id(variable) for variable in layer.trainable_variables}
        frozen |= {variable.value.ref() for variable in layer.variables if id(variable) not in trainable}
    trained = [variable for variable in v1.trainable_variables() if variable.ref() not in frozen]
    if not trained:
        raise RequestError(
            f"{type(model).__name__} made no trainable variable; make layers and variables in the constructor"
        )
    chosen = trained if patterns is None else _chosen(patterns, trained)
    if old := [variable.op.name for variable in chosen if variable.dtype.base_dtype != variable.dtype]:
        raise RequestError(
            f"{type(model).__name__} makes reference variables ({', '.join(old[:3])}), which cannot be trained inside "
            "a tf.function; leave out use_resource=False"
        )
    if patterns is None:
        return chosen
    for layer in layers:
        _freeze_without({variable.ref() for variable in chosen}, layer)
    return chosen


def take_over_constraints(layers: Sequence[keras.Layer]) -> None:
    """Gives TensorFlow's variables what Keras layers ask of an optimizer: it sees those variables alone."""
    for layer in layers:
        for variable in layer.trainable_variables:
            if variable.constraint is not None:
                variable.value._constraint = variable.constraint
            if variable.overwrite_with_gradient:
                variable.value.overwrite_with_gradient = True


def _chosen(patterns: Sequence[str], trained: Sequence[Any]) -> list[Any]:
    names = [variable.op.name for variable in trained]
    if not patterns:
        raise RequestError(
            f"trainable is empty, so there is nothing to train; the model has: {', '.join(names)}",
            argument="trainable",
        )
    try:
        chosen = {name for pattern in patterns for name in matching("trainable", pattern, names)}
    except ValueError as error:
        raise RequestError(str(error), argument="trainable") from error
    return [variable for variable in trained if variable.op.name in chosen]


def _freeze_without(chosen: Collection[Any], layer: keras.Layer, seen: Collection[int] = ()) -> None:
    """Freezes a layer without chosen variables; in any other layer, checks the inner layers in turn.

    Args:
        chosen: References of the chosen variables.
        layer: Layer to check.
        seen: Identities of the layers around it, which it may refer to.
    """
    own, seen = layer.trainable_variables, {*seen, id(layer)}
    if own and not any(variable.value.ref() in chosen for variable in own):
        layer.trainable = False
    else:
        for inner in find_instances(vars(layer), keras.Layer):
            if id(inner) not in seen:
                _freeze_without(chosen, inner, seen)
