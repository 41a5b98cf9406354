"""Small dense net as a ``tf.Module``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import tensorflow as tf

from trainer.checks import check_int
from trainer.model import Tensors
from trainer.models.classifier import accuracy, cross_entropy, named_outputs


class Mlp(tf.Module):
    """Dense layers with ReLU between them, for flat images.

    Args:
        sizes: Numbers of inputs, of units in each hidden layer, and of classes.

    Raises:
        TypeError, ValueError: A size is not a positive whole number.

    Example:
        >>> with tf.Graph().as_default():
        ...     Mlp([64, 32, 10])({"image": tf.zeros([5, 8, 8, 1])}, training=False)["logits"].shape.as_list()
        [5, 10]
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(name="mlp")
        sizes = [check_int("model.sizes", size, minimum=1) for size in sizes]
        if len(sizes) < 2:
            raise ValueError(f"model.sizes ({sizes}) must have the numbers of inputs and of classes, at least")
        self._layers = []
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            # He et al., Delving Deep into Rectifiers, 2015: variance 2 / fan_in before a ReLU.
            initial = tf.random.normal([fan_in, fan_out], stddev=math.sqrt(2.0 / fan_in))
            weights = tf.Variable(initial, name=f"dense_{i}/weights")
            biases = tf.Variable(tf.zeros([fan_out]), name=f"dense_{i}/biases")
            self._layers.append((weights, biases))

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``logits`` and ``probabilities`` of ``image`` [batch, height, width, 1]."""
        del training
        image = inputs["image"]
        hidden = tf.reshape(image, [-1, math.prod(image.shape[1:])])
        for weights, biases in self._layers[:-1]:
            hidden = tf.nn.relu(hidden @ weights + biases)
        weights, biases = self._layers[-1]
        return named_outputs(hidden @ weights + biases)

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the mean cross entropy."""
        return cross_entropy(outputs, labels)

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns the accuracy."""
        return accuracy(outputs, labels)
