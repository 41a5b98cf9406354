"""Keras models built outside of any graph: made again inside, trained there, given the trained weights afterwards."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.models.functional import Functional

from trainer.errors import RequestError, describe
from trainer.export.keras_weights import load_into
from trainer.graph.optimizers.averages import chosen_averages
from trainer.graph.state.keras_state import keras_state_kept
from trainer.models.keras_compiled import Compiled, settings_of
from trainer.models.keras_model import KerasModel

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

OF_EVERY_MODEL = ("self", "args", "kwargs", "name", "trainable", "dtype")
"""Parameters of a constructor that change nothing of what a model computes."""

LOSSES = tuple(Compiled.__dataclass_fields__)


class RebuiltKerasModel:
    """Keras model of a user, its copy in the graph, and the way of the weights between the two.

    Args:
        model: Keras model, built or not, outside of any graph.
        given: Losses and metrics that take the place of those of ``compile`` where they are not None.
        class_weight: Weight in the training loss by class, or None.

    Raises:
        RequestError: The model is in a graph, or is neither compiled nor given a loss.

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")])
        >>> rebuilt = RebuiltKerasModel(net, Compiled(loss="mse"))
        >>> with tf.Graph().as_default():
        ...     rebuilt.make().net.layers[0].name
        'd'
    """

    def __init__(self, model: keras.Model, given: Compiled, class_weight: Any = None) -> None:
        if any(tf.is_symbolic_tensor(each.value.handle) for each in model.variables):
            raise RequestError(
                f"{model.name} was built inside a graph; build it outside, or give a function that makes it",
                argument="model",
            )
        self.model = model
        self._class_weight = class_weight
        own = settings_of(model)
        self._settings = {name: _first(getattr(given, name), getattr(own, name)) for name in LOSSES}
        if self._settings["loss"] is None and not _adds_losses(model):
            raise RequestError(
                f"{model.name} is not compiled and no loss is given; add loss='mse' or another of keras.losses",
                argument="loss",
            )
        self._values = model.get_weights()
        self._net: keras.Model | None = None
        self._shapes: Any = None

    @property
    def optimizer(self) -> Any:
        """Optimizer of ``compile``, or None."""
        return getattr(self.model, "optimizer", None)

    def make(self) -> KerasModel:
        """Returns the copy, with the weights of the model; call it while the graph is open."""
        net = rebuilt_model(self.model)
        settings = {name: _made_again(value) for name, value in self._settings.items()}
        self._net = net
        return _WithWeights(net, self._values, **settings, class_weight=self._class_weight)

    def read_values(self, build: GraphContext) -> Callable[[Any], list[np.ndarray[Any, Any]]]:
        """Returns a function of the session that reads the weights: averages where the optimizer keeps any."""
        if self._net is None:
            return lambda _session: []
        net, averages = self._net, chosen_averages(build.averages, None)
        self._net = None
        self._shapes = net.get_build_config()
        variables = [each.value for each in net.weights]

        def read(session: Any) -> Any:
            if averages is None:
                return session.run(variables)
            with averages.in_place(session):
                return session.run(variables)

        return read

    def take(self, values: Any) -> None:
        """Gives the model of the user the weights that were read; None changes nothing."""
        if values is None:
            return
        with keras_state_kept():
            if not self.model.weights and self._shapes is not None:
                self.model.build_from_config(self._shapes)
            for variable, value in zip(self.model.weights, values, strict=True):
                variable.assign(value)

    def take_from(self, prefix: Path) -> None:
        """Gives the model of the user the weights of a checkpoint."""
        with keras_state_kept():
            load_into(self.model, prefix)


class _WithWeights(KerasModel):
    """Keras model that has given weights as soon as it is built: at once, or in the first call.

    Args:
        net: Copy of the model of a user.
        values: Values of its weights in order; [] for a model that had none yet.
        settings: Other arguments of ``KerasModel``.
    """

    def __init__(self, net: keras.Model, values: list[Any], **settings: Any) -> None:
        super().__init__(net, **settings)
        self._values: list[Any] | None = values or None
        if net.built:
            self._set()

    def __call__(self, inputs: Any, training: bool) -> dict[str, Any]:
        outputs = super().__call__(inputs, training)
        self._set()
        return outputs

    def _set(self) -> None:
        values, self._values = self._values, None
        if values is not None:
            _check_same_shapes(self.net, values)
            self.net.set_weights(values)


def rebuilt_model(model: keras.Model) -> keras.Model:
    """Returns a Keras model of the same layers, without their weights.

    Args:
        model: Functional, Sequential or subclassed model.

    Raises:
        RequestError: The model has no config from which it can be made again.

    Example:
        >>> x = keras.Input((2,), name="x")
        >>> net = keras.Model(x, keras.layers.Lambda(lambda each: each * 2, name="twice")(x))
        >>> rebuilt_model(net)(np.float32([[1, 2]])).numpy().tolist()
        [[2.0, 4.0]]
    """
    try:
        with keras.saving.custom_object_scope(dict(_own_classes(model))):
            if type(model) is keras.Sequential:
                copy = _sequential(model)
            elif type(model) is Functional:
                with _not_compiled(model):
                    copy = keras.models.clone_model(model, clone_function=_copied)
            else:
                copy = _subclassed(model)
    except Exception as error:
        name = type(model).__name__
        raise RequestError(
            f"{name} cannot be made again in the graph ({describe(error).splitlines()[0]}); give {name} a method "
            "get_config that returns the arguments of its constructor, or give a function that makes it, "
            f"model=lambda: {name}(...), and afterwards trainer.load_into(model, result.directory)",
            argument="model",
        ) from error
    copy.trainable = copy.trainable if copy.trainable == model.trainable else model.trainable
    return copy


def _sequential(model: keras.Sequential) -> keras.Sequential:
    """Returns a copy for batches of any size: the size of the first batch that was seen means nothing."""
    layers = [_copied(layer) for layer in model.layers]
    first = model._layers[0] if model._layers else None
    if isinstance(first, keras.layers.InputLayer):
        shape, dtype = tuple(first.batch_shape), first.dtype
        size = shape[0] if any(getattr(layer, "stateful", False) for layer in model.layers) else None
        layers.insert(0, keras.Input(batch_shape=(size, *shape[1:]), dtype=dtype, name=first.name))
    return keras.Sequential(layers, name=model.name)


def _subclassed(model: keras.Model) -> keras.Model:
    """Returns a copy by the config of the class, or by a constructor without arguments.

    Keras's own config of a subclassed model holds the defaults of the constructor, whatever was given.
    """
    if not type(model).get_config.__module__.startswith("keras."):
        return type(model).from_config(model.get_config())
    own = [name for name in inspect.signature(type(model).__init__).parameters if name not in OF_EVERY_MODEL]
    if own:
        raise TypeError(f"the class has no get_config, and its constructor takes {', '.join(own)}")
    return type(model)()


@contextlib.contextmanager
def _not_compiled(model: keras.Model) -> Iterator[None]:
    """Keeps Keras from copying what the model was compiled with, which needs the values of its optimizer."""
    compiled = model.compiled
    model.compiled = False
    try:
        yield
    finally:
        model.compiled = compiled


def _copied(layer: Any) -> Any:
    if isinstance(layer, keras.Model):
        return rebuilt_model(layer)
    if isinstance(layer, keras.layers.Lambda):
        # Its config holds the code of the function, without what the function refers to.
        config = layer.get_config()
        kept = {name: config[name] for name in ("name", "trainable", "dtype") if name in config}
        function = layer.function
        return keras.layers.Lambda(function, output_shape=layer._output_shape, arguments=layer.arguments, **kept)
    return type(layer).from_config(layer.get_config())


def _own_classes(model: keras.Model) -> Iterator[tuple[str, type]]:
    """Yields the classes of layers that are not Keras's own, which layers around them find by name."""
    for layer in model._flatten_layers():
        if not type(layer).__module__.startswith("keras."):
            yield type(layer).__name__, type(layer)


def _made_again(value: Any) -> Any:
    """Returns losses and metrics in which each metric object is a new one: its variables belong to one graph."""

    def new(each: Any) -> Any:
        if not isinstance(each, keras.metrics.Metric):
            return each
        made = type(each).from_config(each.get_config())
        if isinstance(each, keras.metrics.MeanMetricWrapper) and type(each) is keras.metrics.MeanMetricWrapper:
            made = keras.metrics.MeanMetricWrapper(each._fn, name=each.name, dtype=each.dtype, **each._fn_kwargs)
        return made

    return None if value is None else keras.tree.map_structure(new, value)


def _check_same_shapes(copy: keras.Model, values: list[Any]) -> None:
    ours, theirs = [tuple(each.shape) for each in copy.weights], [each.shape for each in values]
    if ours != theirs:
        raise RequestError(
            f"{type(copy).__name__} made again has {len(ours)} weights, of other shapes or in another order than the "
            f"{len(theirs)} of the model that was given; its get_config must return all arguments of its constructor",
            argument="model",
        )


def _adds_losses(model: keras.Model) -> bool:
    return type(model).compute_loss is not keras.Model.compute_loss or bool(model.losses)


def _first(*values: Any) -> Any:
    return next((each for each in values if each is not None), None)
