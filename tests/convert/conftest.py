"""The graph that the tests of all converters read."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

v1 = tf.compat.v1


@pytest.fixture(scope="session")
def image_net(tmp_path_factory):
    """A ``.pb`` with a convolution, a second input and two outputs, of any batch size."""
    values = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, 6, 6, 1], name="image")
        shift = v1.placeholder(tf.float32, [None, 3], name="shift")
        hidden = tf.nn.relu(tf.nn.conv2d(image, values.normal(size=(3, 3, 1, 4)).astype("f4"), 1, "SAME"))
        weights = values.normal(size=(4, 3)).astype("f4")
        logits = tf.add(tf.reduce_mean(hidden, [1, 2]) @ weights, shift, name="logits")
        tf.nn.softmax(logits, name="probabilities")
    path = tmp_path_factory.mktemp("net") / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path
