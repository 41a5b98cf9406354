"""The contract of a model: an object with two methods, one more for metrics; or a function of graph mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Tensors = Mapping[str, Any]
"""Name to ``tf.Tensor``; the first axis of each is the batch."""


class Model(Protocol):
    """Contract of a model; nothing has to be inherited.

    The object is made while the graph is open, so its constructor may make variables and layers:
    ``tf.compat.v1.get_variable``, ``tf.Variable``, ``tf.Module``, Keras 3 layers or a whole Keras
    model. The first ``__call__`` must make whatever is made lazily.

    Two things are optional: a method ``metrics(outputs, labels)`` that returns, by name, scalars
    (means over the batch), pairs (numerator, denominator) or ``keras.metrics`` objects of the
    constructor after their ``update_state``; and a parameter ``seed`` of ``__call__`` that receives
    an int32 tensor [2] for ``tf.random.stateless_*`` ops, another in each step and the same in a
    resumed run.

    Inputs and labels have the form of the data: dicts by name, or tensors and tuples of them; labels are
    None where the data has none. Where it has sample weights, ``loss`` has a parameter ``sample_weight``.
    """

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns the outputs by name; the names are those of ops in the exported files.

        Called once for the inference part (``training`` is False) and again, inside a
        ``tf.function``, for the update; all calls must use the same variables.
        """

    def loss(self, outputs: Tensors, labels: Tensors) -> Any:
        """Returns the mean loss over the batch, a float scalar; or a pair (sum, weight) of scalars."""


@dataclass(frozen=True)
class FunctionModel:
    """Model that is a function of tensors, as code for sessions has it.

    The function makes its variables, and with ``training`` it may make its optimizer and train op. It is called
    several times, each time as if in a new graph, and the calls share the variables by their names. As in a session,
    an op runs only where the outputs, the loss, the metrics or the train op need it.

    Args:
        function: Function of inputs, labels and ``training``; it returns its outputs by name where labels are None,
            and otherwise ``(outputs, loss)``, ``(outputs, loss, train_op)``, or these and a dict of metrics.

    Example:
        >>> import tensorflow as tf
        >>> def build(inputs, labels, training):
        ...     w = tf.compat.v1.get_variable("w", [2, 1])
        ...     outputs = {"y": inputs["x"] @ w}
        ...     if labels is None:
        ...         return outputs
        ...     return outputs, tf.reduce_mean((outputs["y"] - labels["y"]) ** 2)
        >>> FunctionModel(build).name
        'build'
    """

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """Name of the function, for messages."""
        function = getattr(self.function, "func", self.function)
        return str(getattr(function, "__name__", type(function).__name__))


@dataclass(frozen=True)
class ProgramModel:
    """Model that is a whole program of graph mode without its loop: it makes its placeholders, and returns by name.

    The program returns a dict, or an object with attributes: ``outputs`` (by name), ``loss``, and perhaps ``train_op``
    (one, or several that run one after the other), ``metrics`` (by name) and ``flags``: placeholders that are no
    data, by name, each with its value in exports and evaluations, or a pair (in training, elsewhere). All other
    placeholders are fed with the data of their names.

    Args:
        program: Function without arguments.

    Example:
        >>> import tensorflow as tf
        >>> def program():
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        ...     y = tf.compat.v1.placeholder(tf.float32, [None, 1], name="y")
        ...     predicted = x @ tf.compat.v1.get_variable("w", [2, 1])
        ...     loss = tf.reduce_mean((predicted - y) ** 2)
        ...     train_op = tf.compat.v1.train.AdamOptimizer().minimize(loss)
        ...     return {"outputs": {"predicted": predicted}, "loss": loss, "train_op": train_op}
        >>> ProgramModel(program).name
        'program'
    """

    program: Callable[[], Any]

    @property
    def name(self) -> str:
        """Name of the function, for messages."""
        return FunctionModel(self.program).name


class NoOptimizer:
    """Choice of no optimizer, for a model that makes its own train op.

    Example:
        >>> f"{NoOptimizer.__module__}.{NoOptimizer.__name__}"
        'trainer.model.NoOptimizer'
    """


def name_of(model: Any) -> str:
    """Returns the name of a model's class, or of its function, for messages."""
    if isinstance(model, FunctionModel | ProgramModel):
        return model.name
    return str(getattr(model, "name_in_messages", type(model).__name__))
