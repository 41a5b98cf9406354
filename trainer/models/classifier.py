"""Loss, accuracy and outputs of classifiers of digits."""

from __future__ import annotations

import tensorflow as tf

from trainer.model import Tensors


def cross_entropy(outputs: Tensors, labels: Tensors) -> tf.Tensor:
    """Returns the mean cross entropy of ``logits`` [batch, classes] and ``digit`` [batch]."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels["digit"], logits=outputs["logits"])
    return tf.reduce_mean(losses)


def accuracy(outputs: Tensors, labels: Tensors) -> Tensors:
    """Returns ``accuracy``: the share of images with the greatest logit at ``digit``."""
    hit = tf.equal(tf.argmax(outputs["logits"], axis=1, output_type=tf.int32), tf.cast(labels["digit"], tf.int32))
    return {"accuracy": tf.reduce_mean(tf.cast(hit, tf.float32))}


def named_outputs(logits: tf.Tensor) -> Tensors:
    """Returns ``logits`` [batch, classes] and ``probabilities`` [batch, classes]."""
    return {"logits": logits, "probabilities": tf.nn.softmax(logits)}
