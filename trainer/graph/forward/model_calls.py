"""Calls of a model: its outputs, loss and metrics, given what its data has, and checks of what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import tensorflow as tf

from trainer.errors import RequestError, describe, place_in
from trainer.graph.data.element_structure import NAMED, ElementStructure
from trainer.graph.losses.losses import Loss, as_tensors, loss_of
from trainer.graph.ops.equality import compared_by_value
from trainer.graph.state.inference_state import split_at_build
from trainer.model import Model, Tensors, name_of

v1 = tf.compat.v1


class ModelCalls:
    """Calls of a model on batches of tensors by name.

    Args:
        model: Model.
        structure: Form in which the model gets the tensors.
    """

    def __init__(self, model: Model, structure: ElementStructure = NAMED) -> None:
        self.model = model
        self._structure = structure
        self._name = name_of(model)
        self.trains_itself = False
        """Whether the calls with labels make the update too."""

    @property
    def only_in_training(self) -> frozenset[str]:
        """Names of the variables that belong to an optimizer of the model's own."""
        return frozenset()

    def train_only(self, names: Collection[str]) -> None:
        """Is told the names of the variables to train; the trainer's optimizer is given them."""

    def split_at_build(self, ops: Sequence[Any], trace: Callable[[], Any]) -> tuple[list[Any], list[Any]]:
        """Returns the ops of the inference part that change variables: those that build layers, and those of a call.

        Args:
            ops: Ops of the inference part in the order of their creation.
            trace: Function that traces a second call and returns the graph of its function.
        """
        return split_at_build(ops, v1.get_default_graph(), trace)

    def given(self, outputs: Tensors) -> Collection[Any]:  # noqa: ARG002 - of the outputs of other calls
        """Returns the ops that outputs and labels come from, before metrics are computed."""
        return set(v1.get_default_graph().get_operations())

    def outputs(
        self,
        inputs: Tensors,
        *,
        training: bool,
        seed: Any,
        labels: Tensors | None = None,  # noqa: ARG002 - for models that compute all at once
    ) -> dict[str, Any]:
        """Calls the model, with a seed if it takes one, and checks its outputs.

        Args:
            inputs: Inputs of the model, tensors [batch, ...] by name.
            training: Whether the call is part of an update.
            seed: Seed of the model's random ops, int32 [2].
            labels: Labels, where the loss is asked for next.

        Raises:
            RequestError: The model raised, or did not return a dict of tensors.
        """
        extra = {"seed": seed} if "seed" in inspect.signature(self.model.__call__).parameters else {}
        with refusing(self.model, "cannot be called with", inputs):
            outputs = self.model(self._structure.inputs(inputs), training=training, **extra)
        if not isinstance(outputs, Mapping) or not outputs:
            raise RequestError(
                f"{self._name}.__call__ returned {type(outputs).__name__}; "
                'it must return a dict of outputs by name, such as {"op": tensor}'
            )
        with refusing(self.model, "returned something other than tensors for", inputs):
            return {name: tf.convert_to_tensor(tensor) for name, tensor in outputs.items()}

    def loss(self, outputs: Tensors, labels: Tensors, inputs: Tensors | None = None) -> Loss:  # noqa: ARG002
        """Returns the model's loss of a batch.

        The value is the sum over the weight where the model returned these two, 0 where the weight is 0. A scalar
        that is a quotient of sums over the batch, such as a masked mean, has its denominator as weight. Where the
        model returned several losses by name, the value is their sum.

        Args:
            outputs: Outputs of the model.
            labels: Labels by name.
            inputs: Inputs that the outputs were computed from, for models that compute all at once.

        Raises:
            RequestError: The model raised, a loss is not a float scalar or two scalars, or a name is reserved.
        """
        if not callable(getattr(self.model, "loss", None)):
            raise RequestError(
                f"{self._name} has no method loss(outputs, labels); to use a Keras model, keep it in an "
                "attribute of a class with this method, because the model's own loss is something else"
            )
        given = set(v1.get_default_graph().get_operations())
        with refusing(self.model, "cannot compute its loss from", {**outputs, **labels}):
            returned = self.model.loss(outputs, self._structure.labels(labels), **self._weights(labels))
            tensors = returned if isinstance(returned, Loss) else as_tensors(returned)
        if isinstance(tensors, Loss):
            return tensors
        data = {each.op for each in (*outputs.values(), *labels.values())}
        return loss_of(f"{self._name}.loss", tensors, given, data)

    def varying_examples(self, inputs: Tensors) -> Any:
        """Returns the number of examples of a batch, int32 scalar, where it differs between batches; else None."""
        return self._structure.examples(inputs) if self._structure.varies else None

    def _weights(self, labels: Tensors) -> dict[str, Any]:
        """Returns the sample weights as an argument of ``loss``.

        Raises:
            RequestError: The data has sample weights, and ``loss`` would leave them out.
        """
        weights = self._structure.weights(labels)
        if weights is None:
            return {}
        if "sample_weight" not in inspect.signature(self.model.loss).parameters:
            raise RequestError(
                f"the data has sample weights, and {self._name}.loss has no parameter sample_weight; add it, or leave "
                "them out of the data"
            )
        return {"sample_weight": weights}

    def own_step(self, inputs: Tensors, labels: Tensors, optimizers: Any, *, seed: Any, step: Any) -> Mapping[str, Any]:
        """Calls the model's own training step, with what its parameters name; returns its metrics by name.

        Args:
            inputs: Inputs of the model, tensors [batch, ...] by name.
            labels: Labels, tensors [batch, ...] by name.
            optimizers: Optimizers by name.
            seed: Seed of the model's random ops, int32 [2].
            step: Number of updates before this one, int64 scalar.

        Raises:
            RequestError: The model raised, or did not return a dict.
        """
        own_step = cast("Any", self.model).train_step
        known = inspect.signature(own_step).parameters
        extra = {name: value for name, value in {"seed": seed, "step": step}.items() if name in known}
        if "sample_weight" in known:
            extra["sample_weight"] = self._structure.weights(labels)
        with refusing(self.model, "cannot run its train_step with", {**inputs, **labels}):
            returned = own_step(self._structure.inputs(inputs), self._structure.labels(labels), optimizers, **extra)
        if not isinstance(returned, Mapping):
            raise RequestError(
                f"{self._name}.train_step returned {type(returned).__name__}; it must return a dict of metrics by "
                "name, with the loss to watch as 'loss'"
            )
        return returned

    def metrics(self, outputs: Tensors, labels: Tensors) -> Mapping[str, Any]:
        """Returns what the model's method ``metrics`` returned, by name; {} where it has none.

        Raises:
            RequestError: The model raised, or did not return a dict.
        """
        method = getattr(self.model, "metrics", None)
        if not callable(method):
            return {}
        extra = {}
        if "sample_weight" in inspect.signature(method).parameters:
            extra = {"sample_weight": self._structure.weights(labels)}
        with refusing(self.model, "cannot compute its metrics from", {**outputs, **labels}):
            returned = method(outputs, self._structure.labels(labels), **extra)
        if not isinstance(returned, Mapping):
            raise RequestError(
                f"{self._name}.metrics returned {type(returned).__name__}; it must return a dict by name"
            )
        return returned


class refusing:  # noqa: N801 - a context manager, read as a verb
    """Re-raises a model's exception as RequestError with the tensors it was given and the source line.

    Inside the block, tensors and variables are compared by value.
    """

    def __init__(self, model: Any, cannot: str, tensors: Tensors) -> None:
        self._what = f"{name_of(model)} {cannot} {described(tensors)}"
        self._equality = compared_by_value()

    def __enter__(self) -> None:
        self._equality.__enter__()

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        self._equality.__exit__(None, None, None)
        if not isinstance(error, Exception | SystemExit) or isinstance(error, RequestError):
            return
        reason = describe(error).split("\n")[0]
        raise RequestError(f"{self._what}: {reason}{place_in(error)}") from error


def described(tensors: Tensors) -> str:
    """Returns names, dtypes and shapes of tensors in one line.

    Example:
        >>> described({"x": tf.TensorSpec([None, 3], tf.float32)})
        'x float32 [batch, 3]'
    """
    return ", ".join(
        f"{name} {tensor.dtype.name} [{', '.join('batch' if size is None else str(size) for size in tensor.shape)}]"
        for name, tensor in tensors.items()
    )
