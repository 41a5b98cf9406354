"""The contract of a model: an object with two methods; one more for metrics."""

from __future__ import annotations

from collections.abc import Mapping
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
