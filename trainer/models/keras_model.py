"""Keras models as models of the trainer: functional, Sequential and subclassed, with the losses of ``compile``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import suggestion
from trainer.errors import RequestError
from trainer.graph.losses.losses import Loss
from trainer.model import Tensors
from trainer.models.keras_compiled import Compiled, check_trains_as_in_fit, compiled

v1 = tf.compat.v1

LABELS = "labels"
"""Scope of the placeholders of labels that have the names of outputs."""


class KerasModel:
    """Keras model whose loss and metrics are what ``keras.Model.fit`` computes.

    What is not given here is taken from the net's own ``compile``; an optimizer given there is not used, because
    the run has one.

    Args:
        net: Keras model, or a function that makes it; built, and perhaps compiled, while the graph is open.
        loss: Loss as ``compile`` takes it: a name, a ``keras.losses`` object, or a list or dict of these by output.
        loss_weights: Weights of the losses, as ``compile`` takes them.
        metrics: Metrics as ``compile`` takes them: names, ``keras.metrics`` objects, lists or dicts by output.
        weighted_metrics: Metrics to which sample weights and class weights apply.
        class_weight: Weight in the training loss by class, for a net with one output.
        output_names: Names of the outputs, in order; None for those of Keras.

    Raises:
        RequestError: The net is no Keras model, was built outside of the graph, trains with a step of its own, or
            a loss or metric has an unknown name.

    Example:
        >>> def net():
        ...     x = keras.Input((3,), name="x")
        ...     return keras.Model(x, keras.layers.Dense(1, name="sum")(x))
        >>> with tf.Graph().as_default():
        ...     model = KerasModel(net, loss="mse", metrics=["mae"])
        ...     outputs = model({"x": tf.zeros([5, 3])}, training=False)
        ...     loss = model.loss(outputs, {"sum": tf.zeros([5, 1])})
        ...     print({name: tensor.shape.as_list() for name, tensor in outputs.items()}, loss.value.shape)
        {'sum': [5, 1]} ()
    """

    def __init__(
        self,
        net: keras.Model | Callable[[], keras.Model],
        loss: str | Sequence[Any] | Mapping[str, Any] | Callable[..., Any] | None = None,
        loss_weights: float | Sequence[float] | Mapping[str, float] | None = None,
        metrics: Sequence[Any] | Mapping[str, Any] | None = None,
        weighted_metrics: Sequence[Any] | Mapping[str, Any] | None = None,
        class_weight: Mapping[int, float] | None = None,
        output_names: Sequence[str] | None = None,
    ) -> None:
        self.net = net if isinstance(net, keras.Model) else made_by(net)
        _check_in_graph(self.net)
        check_trains_as_in_fit(self.net)
        settings = Compiled(loss, loss_weights, metrics, weighted_metrics)
        self.compiled = compiled(self.net, settings, output_names)
        self._output_names = None if output_names is None else tuple(output_names)
        self._class_weight = _checked_weights(class_weight)
        self._metrics_of_losses: list[keras.metrics.Metric] = []
        self._x: Any = None
        self._training = False
        self._names: tuple[str, ...] = ()
        self._structure: Any = None
        self._masks: dict[str, Any] = {}

    @property
    def name_in_messages(self) -> str:
        """Name of the net's class, and of the net, where it has one of its own."""
        kind = type(self.net).__name__
        return kind if self.net.name.startswith(("functional", "sequential")) else f"{kind} {self.net.name!r}"

    def __call__(self, inputs: Any, training: bool) -> dict[str, Any]:
        """Returns the outputs under Keras's names; a dict keeps its keys."""
        self._x, self._training = fed(self.net, inputs), training
        takes_training = {"training": training} if self.net._call_has_training_arg else {}
        returned = self.net(self._x, **takes_training)
        self._names = self._output_names or _names_of(self.net, returned)
        tensors = keras.tree.flatten(returned)
        if len(tensors) != len(self._names):
            raise RequestError(
                f"{self.net.name} returns {len(tensors)} outputs, and output_names has {len(self._names)} names: "
                f"{', '.join(self._names)}",
                argument="output_names",
            )
        self._structure = keras.tree.map_structure(lambda _: None, returned)
        named = dict(zip(self._names, tensors, strict=True))
        self._masks = {name: mask for name, each in named.items() if (mask := _mask_of(each)) is not None}
        return named

    def loss(self, outputs: Tensors, labels: Any, sample_weight: Any = None) -> Loss:
        """Returns the loss that ``fit`` computes, in a mean over batches weighted by their numbers of examples."""
        predicted, targets = self._predicted(outputs), self._targets(labels)
        if self.net._compile_metrics is not None and not self.net._compile_metrics.built and targets is not None:
            # Made here, once: their variables belong to the graph and not to the function of a step.
            self.net._compile_metrics.build(targets, predicted)
        value = self.net._compute_loss(
            x=self._x,
            y=targets,
            y_pred=predicted,
            sample_weight=self._weights(sample_weight, targets),
            training=self._training,
        )
        self._metrics_of_losses = list(getattr(self.net._compile_loss, "metrics", ()))
        size = tf.shape(next(iter(outputs.values())))[0]
        return Loss(value, tf.cast(size, value.dtype))

    def metrics(self, outputs: Tensors, labels: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Returns the metrics that ``fit`` reports beside the loss."""
        targets = self._targets(labels)
        weights = self._weights(sample_weight, targets)
        found = self.net.compute_metrics(self._x, targets, self._predicted(outputs), weights)
        return {name: value for name, value in found.items() if name != "loss"}

    def name_of_label(self, label: str) -> str:
        """Returns the name of a label's placeholder in the graph, where an output may have the label's own name."""
        outputs = self._output_names or _known_names(self.net)
        return f"{LABELS}/{label}" if outputs is None or label in outputs else label

    def _predicted(self, outputs: Tensors) -> Any:
        """Returns the outputs in the net's own structure, with Keras's masks."""
        tensors = [outputs[name] for name in self._names]
        for name, tensor in zip(self._names, tensors, strict=True):
            mask = self._masks.get(name)
            if mask is not None and mask.graph is tensor.graph and _mask_of(tensor) is None:
                # The op that gives an output its name knows no mask.
                tensor._keras_mask = mask
        return _packed(self._structure, tensors)

    def _targets(self, labels: Any) -> Any:
        """Returns named labels in the form of the outputs; None where there are none."""
        if not isinstance(labels, Mapping):
            return labels
        if not labels:
            return None
        if not keras.tree.is_nested(self._structure):
            return next(iter(labels.values())) if len(labels) == 1 else dict(labels)
        if len(labels) == 1 and len(self._names) == 1:
            return _packed(self._structure, list(labels.values()))
        if unknown := sorted(set(labels) - set(self._names)):
            raise RequestError(
                f"the label {unknown[0]!r} has not the name of an output of {self.net.name}; "
                f"{suggestion(unknown[0], self._names)}; rename the label, or give model.output_names",
                argument="output_names",
            )
        if set(labels) == set(self._names):
            return _packed(self._structure, [labels[name] for name in self._names])
        return dict(labels)

    def _weights(self, sample_weight: Any, targets: Any) -> Any:
        """Returns the weights of the examples: those of the data, or in training those of their classes."""
        if self._class_weight is None or not self._training:
            return sample_weight
        if sample_weight is not None or targets is None or keras.tree.is_nested(targets):
            why = "sample weights" if sample_weight is not None else "no single label"
            raise RequestError(
                f"class_weight is for data with one label and without sample weights, and this data has {why}; "
                "leave out one of them",
                argument="class_weight",
            )
        classes = targets
        if targets.shape.rank is not None and targets.shape.rank > 1:
            one_hot = targets.shape[-1] != 1
            classes = tf.argmax(targets, -1) if one_hot else tf.squeeze(targets, -1)
        classes = tf.cast(classes if classes.dtype.is_integer else tf.round(classes), tf.int64)
        weights = tf.ones_like(classes, tf.float32)
        for number, weight in self._class_weight.items():
            weights = tf.where(tf.equal(classes, number), weight, weights)
        return weights


def fed(net: keras.Model, inputs: Any) -> Any:
    """Returns named inputs in the form that a net takes; one input alone is given as it is.

    Raises:
        RequestError: The net has an input that the data lacks.
    """
    if not isinstance(inputs, Mapping):
        return inputs
    structure = getattr(net, "_inputs_struct", None)
    if structure is None:
        return next(iter(inputs.values())) if len(inputs) == 1 else inputs
    names = list(structure) if isinstance(structure, Mapping) else [each.name for each in net.inputs]
    if len(names) == 1 and len(inputs) == 1:
        fed = list(inputs.values())
    elif missing := sorted(set(names) - set(inputs)):
        raise RequestError(
            f"{net.name} has the input {missing[0]!r}, and the data has not; {suggestion(missing[0], inputs)}",
            argument="net",
        )
    else:
        fed = [inputs[name] for name in names]
    return dict(zip(names, fed, strict=True)) if isinstance(structure, Mapping) else _packed(structure, fed)


def made_by(net: Any) -> keras.Model:
    """Returns a Keras model, or the one that a function makes.

    Raises:
        RequestError: It is something else.
    """
    made = net() if callable(net) and not isinstance(net, keras.Layer) else net
    if isinstance(made, keras.Model):
        return made
    hint = "; keras.Sequential([layer]) makes a model of a layer" if isinstance(made, keras.Layer) else ""
    raise RequestError(
        f"net is {type(made).__name__}; it must be a keras.Model or a function that returns one{hint}", argument="net"
    )


def _check_in_graph(net: keras.Model) -> None:
    outside = [each.path for each in net.variables if not tf.is_symbolic_tensor(each.value.handle)]
    if outside:
        raise RequestError(
            f"net was built outside of the graph ({', '.join(outside[:3])} have values already); give a function that "
            "builds it, such as model.net._target_=my.module.make",
            argument="net",
        )


def _checked_weights(class_weight: Mapping[int, float] | None) -> dict[int, float] | None:
    if class_weight is None:
        return None
    try:
        weights = {int(each): float(weight) for each, weight in class_weight.items()}
    except (AttributeError, TypeError, ValueError):
        weights = {}
    if not weights or not all(0 <= each < float("inf") for each in weights.values()):
        raise RequestError(
            f"class_weight ({class_weight!r}) must be a weight by number of the class, such as {{0: 1.0, 1: 5.0}}",
            argument="class_weight",
        )
    return weights


def _known_names(net: keras.Model) -> tuple[str, ...] | None:
    """Returns the names of outputs before the net is called; None where only a call tells them."""
    structure = getattr(net, "_outputs_struct", None)
    if structure is not None or isinstance(net, keras.Sequential):
        return _names_of(net, structure)
    return None


def _names_of(net: keras.Model, returned: Any) -> tuple[str, ...]:
    """Returns the names of outputs in the order of ``keras.tree.flatten``."""
    if isinstance(returned, Mapping):
        return tuple("_".join(map(str, path)) for path, _ in keras.tree.flatten_with_path(returned))
    count = len(keras.tree.flatten(returned))
    if isinstance(net, keras.Sequential):
        return (net.layers[-1].name,)
    names = tuple(getattr(net, "output_names", None) or ())
    if len(names) == count and len(set(names)) == count:
        return names
    return ("output",) if count == 1 else tuple(f"output_{number}" for number in range(count))


def _packed(structure: Any, flat: list[Any]) -> Any:
    return keras.tree.pack_sequence_as(structure, flat)


def _mask_of(tensor: Any) -> Any:
    return getattr(tensor, "_keras_mask", None)
