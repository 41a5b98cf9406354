"""Small convolutional net of Keras 3 layers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from trainer.checks import check_int, check_share
from trainer.model import Tensors
from trainer.models.classifier import accuracy, cross_entropy, named_outputs


class Cnn:
    """Convolutions with BatchNormalization, then Dropout and a dense layer.

    Args:
        filters: Number of filters of each 3x3 convolution; each but the first is followed by a
            pooling that halves the image.
        dropout: Share of the features dropped in training.
        classes: Number of classes.
        features: Whether the inputs of the dense layer are also an output, named ``features``, so
            that a frozen graph can serve as the trunk of another net.

    Raises:
        TypeError, ValueError: A number is out of range.

    Example:
        >>> with tf.Graph().as_default():
        ...     Cnn([4, 4], 0.1, 10)({"image": tf.zeros([5, 8, 8, 1])}, training=False)["logits"].shape.as_list()
        [5, 10]
    """

    def __init__(self, filters: Sequence[int], dropout: float, classes: int, features: bool = False) -> None:
        filters = [check_int("model.filters", count, minimum=1) for count in filters]
        if not filters:
            raise ValueError("model.filters is empty; give the number of filters of each convolution")
        layers = keras.layers
        net: list[keras.Layer] = []
        for i, count in enumerate(filters):
            net += [layers.Conv2D(count, 3, padding="same", use_bias=False), layers.BatchNormalization()]
            net += [layers.ReLU()] + ([layers.MaxPooling2D()] if i else [])
        self._body = keras.Sequential([*net, layers.Flatten()], name="cnn")
        self._dropout = layers.Dropout(check_share("model.dropout", dropout, "features"))
        self._head = layers.Dense(check_int("model.classes", classes, minimum=1), name="head")
        self._shows_features = features

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``logits`` and ``probabilities`` of ``image`` [batch, height, width, channels]."""
        features = self._body(inputs["image"], training=training)
        outputs = named_outputs(self._head(self._dropout(features, training=training)))
        return {**outputs, "features": features} if self._shows_features else outputs

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the mean cross entropy."""
        return cross_entropy(outputs, labels)

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns the accuracy."""
        return accuracy(outputs, labels)
