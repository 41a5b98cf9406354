"""New head on a frozen trunk."""

from __future__ import annotations

import keras
import tensorflow as tf

from trainer.checks import check_int, check_share
from trainer.model import Tensors
from trainer.models.classifier import accuracy, cross_entropy, named_outputs
from trainer.trunks.trunk import Trunk


class OnTrunk:
    """Dropout and a dense layer on the output of a trunk.

    The trunk is constant, except for its own ``trainable`` patterns.

    Args:
        trunk: Trunk, whose first output [batch, ...] is the input of the head.
        classes: Number of classes.
        dropout: Share of the features dropped in training.

    Raises:
        TypeError, ValueError: A number is out of range.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tf.Graph().as_default() as graph:
        ...     image = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 1], name="image")
        ...     _ = tf.reshape(image, [-1, 64], name="features")
        >>> file = Path(tempfile.mkdtemp(), "model.pb")
        >>> _ = file.write_bytes(graph.as_graph_def().SerializeToString())
        >>> with tf.Graph().as_default():
        ...     model = OnTrunk(Trunk(path=str(file), outputs=["features"]), classes=10)
        ...     model({"image": tf.zeros([5, 8, 8, 1])}, training=False)["logits"].shape.as_list()
        [5, 10]
    """

    def __init__(self, trunk: Trunk, classes: int, dropout: float = 0.0) -> None:
        trunk.build()
        self._trunk = trunk
        self._flatten = keras.layers.Flatten()
        self._dropout = keras.layers.Dropout(check_share("model.dropout", dropout, "features"))
        self._head = keras.layers.Dense(check_int("model.classes", classes, minimum=1), name="head")

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``logits`` and ``probabilities`` of the trunk's inputs."""
        features = self._flatten(next(iter(self._trunk(inputs).values())))
        return named_outputs(self._head(self._dropout(features, training=training)))

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the mean cross entropy."""
        return cross_entropy(outputs, labels)

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns the accuracy."""
        return accuracy(outputs, labels)
