"""Losses that a model adds beside its own: regularizers, ``add_loss``, and TensorFlow's collections of losses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.ops.dependencies import ancestors, recomputed
from trainer.graph.ops.find_instances import find_instances

v1 = tf.compat.v1

COLLECTIONS = (v1.GraphKeys.REGULARIZATION_LOSSES, v1.GraphKeys.LOSSES)

OF_GET_VARIABLE = "/Regularizer/"
"""Part of the names of losses that ``get_variable(regularizer=...)`` makes."""


class SideLosses:
    """Losses that Keras's ``fit`` and ``tf.compat.v1.losses.get_total_loss`` add to a model's own loss.

    Make it while the graph is open, when the model's constructor has returned.

    Args:
        model: Model, searched for Keras layers.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = v1.get_default_graph()
        self._of_constructor = [loss for key in COLLECTIONS for loss in self._graph.get_collection(key)]

    @contextlib.contextmanager
    def collected(self) -> Iterator[list[tuple[str, Any]]]:
        """Collects the losses that a call of the model and of its loss adds; the list is filled at the end.

        Inside the block the model sees the collections, and the layers their regularizers, as losses of the
        graph that is being built, so that it can add them itself.

        Returns:
            Names and tensors.
        """
        found: list[tuple[str, Any]] = []
        with contextlib.ExitStack() as stack:
            collections = [stack.enter_context(self._collection(key)) for key in COLLECTIONS]
            regularizers = stack.enter_context(contextlib.closing(_Regularizers()))
            stack.enter_context(_observed(layers_of(self._model), found, regularizers))
            yield found
            for layer in layers_of(self._model):
                regularizers.memorise(layer)
            found += regularizers.losses()
            found += [(loss.op.name, tf.convert_to_tensor(loss)) for losses in collections for loss in losses]

    @contextlib.contextmanager
    def _collection(self, key: str) -> Iterator[list[Any]]:
        """Shows the losses of variables alone as tensors of the default graph, and takes in new ones."""
        graph = v1.get_default_graph()
        collection = graph.get_collection_ref(key)
        before = list(collection)
        lasting = [loss for loss in self._graph.get_collection(key) if self._is_of_variables(loss)]
        collection[:] = _in_default_graph(lasting)
        shown = len(collection)
        try:
            yield collection
        finally:
            new = collection[shown:] if graph is self._graph else []
            collection[:] = [*before, *new]

    def _is_of_variables(self, loss: Any) -> bool:
        """Returns whether a loss was made with the model or with a variable, and not by one call of the model."""
        return any(loss is other for other in self._of_constructor) or OF_GET_VARIABLE in loss.op.name


def layers_of(model: Any) -> list[keras.Layer]:
    """Returns all Keras layers in a model, inner ones included, each once."""
    outermost = find_instances(model, keras.Layer)
    return list({id(inner): inner for layer in outermost for inner in layer._flatten_layers()}.values())


def with_side_losses(loss: Any, found: list[tuple[str, Any]]) -> tuple[Any, tuple[str, ...]]:
    """Adds to a loss what it does not contain yet.

    Args:
        loss: Loss of the model, float scalar.
        found: Names and tensors of losses, of any shape; each is summed.

    Returns:
        The total, and the names of the losses that were added to it.

    Raises:
        RequestError: A loss was made inside ``tf.cond``, ``tf.while_loop`` or ``tf.map_fn``, out of reach.
    """
    contained = ancestors([loss]) if found else set()
    names = []
    for name, side_loss in found:
        if side_loss.graph is not loss.graph:
            raise RequestError(
                f"the model adds a loss ({name}) inside a tf.cond, tf.while_loop or tf.map_fn, where it cannot be "
                "reached; return it from there and add it in the model's loss"
            )
        if side_loss.op not in contained:
            loss = loss + tf.cast(tf.reduce_sum(side_loss), loss.dtype)
            names.append(name)
    return loss, tuple(names)


def _in_default_graph(losses: list[Any]) -> list[Any]:
    """Returns losses of variables as tensors of the default graph; those of ``get_variable`` make themselves anew."""
    graph = v1.get_default_graph()
    outside = [loss for loss in losses if isinstance(loss, tf.Tensor) and loss.graph is not graph]
    anew = dict(zip(map(id, outside), recomputed(outside), strict=True))
    return [anew[id(loss)] if id(loss) in anew else tf.convert_to_tensor(loss) for loss in losses]


@contextlib.contextmanager
def _observed(layers: list[keras.Layer], found: list[tuple[str, Any]], regularizers: _Regularizers) -> Iterator[None]:
    """Notes each ``add_loss`` of the layers, because a layer forgets its losses when it is called again."""

    def observe(layer: keras.Layer) -> None:
        add_loss, regularization_losses = layer.add_loss, layer._get_regularization_losses

        def add_and_note(loss: Any) -> None:
            add_loss(loss)
            found.extend((f"add_loss of {layer.path or layer.name}", each) for each in tf.nest.flatten(loss))

        def memorise_and_return() -> Any:
            # A layer makes its variables when it is first called.
            regularizers.memorise(layer)
            return regularization_losses()

        object.__setattr__(layer, "add_loss", add_and_note)
        object.__setattr__(layer, "_get_regularization_losses", memorise_and_return)

    for layer in layers:
        observe(layer)
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "add_loss")
            object.__delattr__(layer, "_get_regularization_losses")


class _Regularizers:
    """Regularizers of Keras variables, replaced until ``close`` by ones that compute their loss once per graph."""

    def __init__(self) -> None:
        self._memos: dict[int, tuple[Any, _Memo]] = {}

    def memorise(self, layer: keras.Layer) -> None:
        """Replaces the regularizers of a layer's trainable variables."""
        for variable in layer.trainable_weights:
            if variable.regularizer is not None and id(variable) not in self._memos:
                self._memos[id(variable)] = variable, _Memo(variable.regularizer, variable)
                variable.regularizer = self._memos[id(variable)][1]

    def losses(self) -> list[tuple[str, Any]]:
        """Returns names and losses in the default graph."""
        return [(f"the regularizer of {variable.path}", memo(variable)) for variable, memo in self._memos.values()]

    def close(self) -> None:
        """Puts the regularizers back."""
        for variable, memo in self._memos.values():
            variable.regularizer = memo.regularizer


class _Memo(keras.regularizers.Regularizer):  # type: ignore[misc] # Keras has no types
    """Regularizer whose loss can be recognised in the model's own loss, since it is one tensor in each graph."""

    def __init__(self, regularizer: Any, variable: Any) -> None:
        self.regularizer = regularizer
        self._variable = variable
        self._losses: dict[Any, Any] = {}

    def __call__(self, _variable: Any) -> Any:
        """Returns the loss of the variable in the default graph."""
        graph = v1.get_default_graph()
        if graph not in self._losses:
            self._losses[graph] = tf.convert_to_tensor(self.regularizer(self._variable))
        return self._losses[graph]
