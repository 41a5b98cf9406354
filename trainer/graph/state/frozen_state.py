"""Variables of frozen parts, whose values a model changes in training and a run keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.graph.losses.side_losses import layers_of
from trainer.graph.ops.dependencies import assigned_in
from trainer.graph.ops.find_instances import find_instances

v1 = tf.compat.v1


def names_in_frozen_parts(names: Iterable[str], trained: Collection[str], frozen: Collection[str]) -> set[str]:
    """Returns the names of variables that are frozen themselves, or state of a part with frozen variables alone.

    The part of a variable is the nearest scope around it that has a trainable variable.

    Args:
        names: Names of variables of the model.
        trained: Names of the variables that are trained.
        frozen: Names of the trainable variables that are not trained.

    Example:
        >>> names = ["body/bn/mean", "head/bn/mean", "steps"]
        >>> names_in_frozen_parts(names, trained=["head/w"], frozen=["body/w"])
        {'body/bn/mean'}
    """
    with_trained, with_frozen = _scopes(trained), _scopes(frozen)
    found = {name for name in names if name in frozen}
    for name in names:
        scopes = (scope for scope in _scopes_of(name) if scope in with_trained or scope in with_frozen)
        nearest = next(scopes, "")
        if name not in trained and nearest in with_frozen and nearest not in with_trained:
            found.add(name)
    return found


def _scopes_of(name: str) -> list[str]:
    """Returns the scopes around a name, the nearest first; '' is around everything."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]


def _scopes(names: Iterable[str]) -> set[str]:
    return {scope for name in names for scope in _scopes_of(name)}


class FrozenState:
    """Keeper of the variables in frozen parts: reads them before an update, and assigns what was changed back.

    Args:
        variables: Variables to keep.
    """

    def __init__(self, variables: Sequence[Any]) -> None:
        self._variables = list(variables)
        self.kept: tuple[str, ...] = ()
        """Names of the variables that the last update in the graph changes, and that are put back."""

    def read(self) -> list[Any]:
        """Returns the values before an update, in the default inner graph."""
        return [variable.read_value() for variable in self._variables]

    def put_back(self, values: Sequence[Any]) -> None:
        """Assigns the values to the variables that ops of the default inner graph change; sets ``kept``."""
        before = dict(zip((variable.ref() for variable in self._variables), values, strict=True))
        changed = assigned_in(v1.get_default_graph(), self._variables)
        for variable in changed:
            variable.assign(before[variable.ref()])
        self.kept = tuple(variable.op.name for variable in changed)


def frozen_state(model: Any, variables: Mapping[str, Any], trained: Sequence[Any]) -> FrozenState:
    """Returns the keeper for a model of which some variables are trained.

    Keras's seeds and metrics, and generators of random numbers, are no part of what is learned.

    Args:
        model: Model, searched for Keras layers, modules and generators.
        variables: Variables of the model by name.
        trained: Variables that are trained.
    """
    names = {variable.op.name for variable in trained}
    trainable = {variable.op.name for variable in v1.trainable_variables()}
    frozen = names_in_frozen_parts(variables, names, trainable - names) | _in_frozen_modules(model, names, trainable)
    kept = frozen & variables.keys() - names - _running(model)
    # No function can assign a reference variable, so an update never changes one.
    resources = {name for name, variable in variables.items() if variable.dtype == variable.dtype.base_dtype}
    return FrozenState([variables[name] for name in sorted(kept & resources)])


def _in_frozen_modules(model: Any, trained: set[str], trainable: set[str]) -> set[str]:
    """Returns the names of variables in layers and modules that have trainable variables, and none that is trained.

    Names do not always show the parts: Keras gives the layers of a subclassed model no common scope.
    """
    layers = [[v.value.op.name for v in layer.variables] for layer in layers_of(model)]
    outermost = find_instances(model, tf.Module)
    modules = [inner for module in outermost for inner in (module, *module.submodules)]
    parts = layers + [[v.op.name for v in each.variables] for each in modules if not isinstance(each, keras.Layer)]
    return {name for part in parts if trainable.intersection(part) and not trained.intersection(part) for name in part}


def _running(model: Any) -> set[str]:
    """Returns the names of the variables of seeds, metrics and generators of random numbers."""
    layers = layers_of(model)
    weights = {id(variable) for layer in layers for variable in layer.weights}
    running = {v.value.op.name for layer in layers for v in layer.variables if id(v) not in weights}
    seeds = find_instances(model, keras.random.SeedGenerator)
    return (
        running
        | {seed.state.value.op.name for seed in seeds}
        | {generator.state.op.name for generator in find_instances(model, tf.random.Generator)}
    )
