"""Linear regression, the smallest model, in plain graph-mode TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from trainer.model import Tensors

v1 = tf.compat.v1


class Linear:
    """Linear regression y = slope * x + intercept, trained on the mean squared error.

    Example:
        >>> with tf.Graph().as_default():
        ...     Linear()({"x": tf.zeros([5, 1])}, training=False)["op"].shape.as_list()
        [5, 1]
    """

    def __init__(self) -> None:
        self.slope = v1.get_variable("slope", [1, 1], initializer=v1.zeros_initializer())
        self.intercept = v1.get_variable("intercept", [1], initializer=v1.zeros_initializer())

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``op`` [batch, 1] of ``x`` [batch, 1]."""
        del training
        return {"op": inputs["x"] @ self.slope + self.intercept}

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the mean squared error of ``op`` and ``y``, both [batch, 1]."""
        # TensorFlow would silently broadcast [batch] and [batch, 1] to [batch, batch].
        outputs["op"].shape.assert_is_compatible_with(labels["y"].shape)
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))
