"""Nets as tutorials and code bases of 2016 to 2019 build them: each returns the tensors that one would predict with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

Tensors = list[Any]
"""Tensors that a person would predict with."""


def weight(*shape: int) -> Any:
    return v1.Variable(v1.truncated_normal(shape, stddev=0.1))


def bias(size: int) -> Any:
    return v1.Variable(tf.constant(0.1, shape=[size]))


def dense(x: Any, sizes: tuple[int, int], activation: Callable[[Any], Any] | None = None) -> Any:
    y = tf.nn.bias_add(tf.matmul(x, weight(*sizes)), bias(sizes[1]))
    return activation(y) if activation else y


def linear_regression() -> Tensors:
    x, y = v1.placeholder("float"), v1.placeholder("float")
    w, b = v1.Variable(0.3, name="weight"), v1.Variable(0.1, name="bias")
    prediction = tf.add(tf.multiply(x, w), b)
    cost = tf.reduce_sum(tf.pow(prediction - y, 2)) / (2 * 17)
    v1.train.GradientDescentOptimizer(0.01).minimize(cost)
    return [prediction]


def logistic_regression() -> Tensors:
    x, y = v1.placeholder(tf.float32, [None, 784]), v1.placeholder(tf.float32, [None, 10])
    w, b = v1.Variable(tf.zeros([784, 10])), v1.Variable(tf.zeros([10]))
    pred = tf.nn.softmax(tf.matmul(x, w) + b)
    cost = tf.reduce_mean(-tf.reduce_sum(y * tf.math.log(pred), axis=1))
    v1.train.GradientDescentOptimizer(0.01).minimize(cost)
    correct = tf.equal(tf.argmax(pred, 1), tf.argmax(y, 1))
    tf.reduce_mean(tf.cast(correct, tf.float32))
    return [pred]


def softmax_tutorial() -> Tensors:
    x = v1.placeholder(tf.float32, [None, 784])
    y = tf.matmul(x, v1.Variable(tf.zeros([784, 10]))) + v1.Variable(tf.zeros([10]))
    y_ = v1.placeholder(tf.float32, [None, 10])
    loss = tf.reduce_mean(v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y))
    v1.train.GradientDescentOptimizer(0.5).minimize(loss)
    tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1)), tf.float32))
    return [y]


def perceptron() -> Tensors:
    x, y = v1.placeholder("float", [None, 784]), v1.placeholder("float", [None, 10])
    hidden = dense(dense(x, (784, 32), tf.nn.relu), (32, 32), tf.nn.relu)
    logits = dense(hidden, (32, 10))
    loss = tf.reduce_mean(v1.nn.softmax_cross_entropy_with_logits(logits=logits, labels=y))
    v1.train.AdamOptimizer(0.001).minimize(loss)
    prediction = tf.nn.softmax(logits)
    tf.reduce_mean(tf.cast(tf.equal(tf.argmax(prediction, 1), tf.argmax(y, 1)), "float"))
    return [prediction, logits]


def convolution_with_dropout() -> Tensors:
    x, y_ = v1.placeholder(tf.float32, [None, 784], name="x"), v1.placeholder(tf.float32, [None, 10], name="y_")
    keep_prob = v1.placeholder(tf.float32)
    h = tf.nn.relu(tf.nn.conv2d(tf.reshape(x, [-1, 28, 28, 1]), weight(5, 5, 1, 8), 1, "SAME") + bias(8))
    h = tf.nn.max_pool2d(h, 2, 2, "SAME")
    h = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, 14 * 14 * 8]), weight(14 * 14 * 8, 16)) + bias(16))
    h = v1.nn.dropout(h, keep_prob)
    y_conv = tf.matmul(h, weight(16, 10)) + bias(10)
    cross_entropy = tf.reduce_mean(v1.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv))
    v1.train.AdamOptimizer(1e-4).minimize(cross_entropy)
    tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1)), tf.float32))
    return [y_conv]


def sparse_labels() -> Tensors:
    images, labels = v1.placeholder(tf.float32, [100, 784]), v1.placeholder(tf.int32, [100])
    with v1.name_scope("hidden1"):
        hidden = dense(images, (784, 16), tf.nn.relu)
    with v1.name_scope("softmax_linear"):
        logits = dense(hidden, (16, 10))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.cast(labels, tf.int64), logits=logits, name="xentropy"
    )
    loss = tf.reduce_mean(losses, name="xentropy_mean")
    v1.summary.scalar("loss", loss)
    v1.train.GradientDescentOptimizer(0.01).minimize(
        loss, global_step=v1.Variable(0, name="global_step", trainable=False)
    )
    tf.reduce_sum(tf.cast(tf.nn.in_top_k(labels, logits, 1), tf.int32))
    return [logits]


def autoencoder() -> Tensors:
    x = v1.placeholder("float", [None, 784])
    code = dense(dense(x, (784, 32), tf.nn.sigmoid), (32, 8), tf.nn.sigmoid)
    y_pred = dense(dense(code, (8, 32), tf.nn.sigmoid), (32, 784), tf.nn.sigmoid)
    loss = tf.reduce_mean(tf.pow(x - y_pred, 2))
    v1.train.RMSPropOptimizer(0.01).minimize(loss)
    return [y_pred]


def denoising_autoencoder() -> Tensors:
    x, mask = v1.placeholder("float", [None, 64], name="X"), v1.placeholder("float", [None, 64], name="mask")
    w = weight(64, 16)
    hidden = tf.nn.sigmoid(tf.matmul(mask * x, w) + bias(16))
    z = tf.nn.sigmoid(tf.matmul(hidden, tf.transpose(w)) + bias(64))
    cost = tf.reduce_sum(tf.pow(x - z, 2))
    v1.train.GradientDescentOptimizer(0.02).minimize(cost)
    return [z]


def variational_autoencoder() -> Tensors:
    x = v1.placeholder(tf.float32, [None, 64])
    hidden = dense(x, (64, 16), tf.nn.tanh)
    mean, log_sigma = dense(hidden, (16, 2)), dense(hidden, (16, 2))
    z = mean + tf.exp(log_sigma / 2) * v1.random_normal(tf.shape(log_sigma))
    decoded = dense(dense(z, (2, 16), tf.nn.tanh), (16, 64), tf.nn.sigmoid)
    entropy = -tf.reduce_sum(x * tf.math.log(1e-10 + decoded) + (1 - x) * tf.math.log(1e-10 + 1 - decoded), 1)
    divergence = -0.5 * tf.reduce_sum(1 + log_sigma - tf.square(mean) - tf.exp(log_sigma), 1)
    v1.train.RMSPropOptimizer(0.001).minimize(tf.reduce_mean(entropy + divergence))
    return [decoded]


def recurrent(x: Any, units: int) -> Any:
    """Returns the last state of a recurrent net, unrolled by a loop of 2016."""
    w, u, b = weight(int(x.shape[-1]), units), weight(units, units), bias(units)
    state = tf.zeros([tf.shape(x)[0], units])
    for step in tf.unstack(x, axis=1):
        state = tf.tanh(tf.matmul(step, w) + tf.matmul(state, u) + b)
    return state


def recurrent_classifier() -> Tensors:
    x, y = v1.placeholder("float", [None, 4, 8]), v1.placeholder("float", [None, 3])
    logits = tf.matmul(recurrent(x, 6), weight(6, 3)) + bias(3)
    prediction = tf.nn.softmax(logits)
    loss = tf.reduce_mean(v1.nn.softmax_cross_entropy_with_logits(logits=logits, labels=y))
    v1.train.GradientDescentOptimizer(0.1).minimize(loss)
    tf.reduce_mean(tf.cast(tf.equal(tf.argmax(prediction, 1), tf.argmax(y, 1)), tf.float32))
    return [prediction, logits]


def recurrent_of_lengths() -> Tensors:
    x, y = v1.placeholder("float", [None, 5, 2]), v1.placeholder("float", [None, 2])
    lengths = v1.placeholder(tf.int32, [None])
    w, u = weight(2, 4), weight(4, 4)

    def step(i: Any, state: Any) -> tuple[Any, Any]:
        new = tf.tanh(tf.matmul(x[:, i], w) + tf.matmul(state, u))
        return i + 1, tf.where(tf.expand_dims(i < lengths, 1), new, state)

    state = v1.while_loop(lambda i, _: i < tf.reduce_max(lengths), step, [0, tf.zeros([tf.shape(x)[0], 4])])[1]
    pred = tf.matmul(tf.reshape(state, [-1, 4]), weight(4, 2)) + bias(2)
    cost = tf.reduce_mean(v1.nn.softmax_cross_entropy_with_logits(logits=pred, labels=y))
    v1.train.GradientDescentOptimizer(0.01).minimize(cost)
    return [pred]


def text_convolution() -> Tensors:
    input_x, input_y = (
        v1.placeholder(tf.int32, [None, 9], name="input_x"),
        v1.placeholder(tf.float32, [None, 2], name="input_y"),
    )
    dropout_keep_prob = v1.placeholder(tf.float32, name="dropout_keep_prob")
    with v1.name_scope("embedding"):
        chars = tf.expand_dims(tf.nn.embedding_lookup(weight(20, 6), input_x), -1)
    with v1.name_scope("conv-maxpool-3"):
        h = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(chars, weight(3, 6, 1, 4), 1, "VALID"), bias(4)))
        pooled = tf.reshape(tf.nn.max_pool2d(h, [1, 7, 1, 1], 1, "VALID"), [-1, 4])
    with v1.name_scope("dropout"):
        pooled = v1.nn.dropout(pooled, dropout_keep_prob)
    with v1.name_scope("output"):
        w, b = weight(4, 2), bias(2)
        l2 = tf.nn.l2_loss(w) + tf.nn.l2_loss(b)
        scores = v1.nn.xw_plus_b(pooled, w, b, name="scores")
        predictions = tf.argmax(scores, 1, name="predictions")
    with v1.name_scope("loss"):
        losses = v1.nn.softmax_cross_entropy_with_logits(logits=scores, labels=input_y)
        loss = tf.reduce_mean(losses) + 0.1 * l2
    with v1.name_scope("accuracy"):
        correct = tf.equal(predictions, tf.argmax(input_y, 1))
        tf.reduce_mean(tf.cast(correct, "float"), name="accuracy")
    v1.train.AdamOptimizer(1e-3).minimize(loss)
    return [predictions, scores]


def batch_normalised() -> Tensors:
    x, y = v1.placeholder(tf.float32, [None, 8, 8, 3], name="images"), v1.placeholder(tf.int64, [None], name="labels")
    is_training = v1.placeholder(tf.bool, name="is_training")
    h = tf.nn.conv2d(x, weight(3, 3, 3, 4), 1, "SAME")
    scale, offset = v1.Variable(tf.ones([4])), v1.Variable(tf.zeros([4]))
    mean, variance = v1.Variable(tf.zeros([4]), trainable=False), v1.Variable(tf.ones([4]), trainable=False)
    batch_mean, batch_variance = tf.nn.moments(h, [0, 1, 2])
    used = v1.cond(
        is_training, lambda: (batch_mean, batch_variance), lambda: (mean.read_value(), variance.read_value())
    )
    h = tf.nn.relu(tf.nn.batch_normalization(h, *used, offset, scale, 1e-3))
    logits = dense(tf.reshape(h, [-1, 256]), (256, 5))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    with tf.control_dependencies([v1.assign(mean, 0.9 * mean + 0.1 * batch_mean)]):
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    return [logits]


def residual() -> Tensors:
    x, y = v1.placeholder(tf.float32, [None, 8, 8, 4]), v1.placeholder(tf.int32, [None])
    h = x
    for _ in range(2):
        h = h + tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(h, weight(3, 3, 4, 4), 1, "SAME")), weight(3, 3, 4, 4), 1, "SAME")
    logits = dense(tf.reduce_mean(h, [1, 2]), (4, 5))
    probabilities = tf.nn.softmax(logits)
    loss = v1.losses.sparse_softmax_cross_entropy(y, logits)
    v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    return [probabilities, logits]


def segmentation() -> Tensors:
    image = v1.placeholder(tf.float32, [None, 16, 16, 3], name="input_image")
    annotation = v1.placeholder(tf.int32, [None, 16, 16, 1], name="annotation")
    keep = v1.placeholder(tf.float32, name="keep_probabilty")
    h = v1.nn.dropout(tf.nn.relu(tf.nn.conv2d(image, weight(3, 3, 3, 4), 2, "SAME")), keep)
    logits = tf.nn.conv2d_transpose(h, weight(4, 4, 5, 4), tf.stack([tf.shape(image)[0], 16, 16, 5]), 2)
    pred = tf.expand_dims(tf.argmax(logits, axis=3, name="prediction"), axis=3)
    labels = tf.squeeze(annotation, [3])
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels, name="entropy"))
    v1.summary.image("pred_annotation", tf.cast(pred, tf.uint8))
    v1.train.AdamOptimizer(1e-4).minimize(loss)
    return [pred, pred.op.inputs[0], logits]


def binary_classifier() -> Tensors:
    x, y = v1.placeholder(tf.float32, [None, 6]), v1.placeholder(tf.float32, [None, 1])
    hypothesis = tf.sigmoid(tf.matmul(x, weight(6, 1)) + bias(1), name="hypothesis")
    cost = -tf.reduce_mean(y * tf.math.log(hypothesis) + (1 - y) * tf.math.log(1 - hypothesis))
    v1.train.GradientDescentOptimizer(0.01).minimize(cost)
    predicted = tf.cast(hypothesis > 0.5, dtype=tf.float32)
    tf.reduce_mean(tf.cast(tf.equal(predicted, y), dtype=tf.float32))
    return [hypothesis, predicted]


def multi_label() -> Tensors:
    x, y = v1.placeholder(tf.float32, [None, 6]), v1.placeholder(tf.float32, [None, 4])
    logits = dense(x, (6, 4))
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
    v1.train.AdamOptimizer().minimize(loss)
    probability = tf.sigmoid(logits)
    return [probability, logits]


def q_network() -> Tensors:
    state = v1.placeholder("float", [None, 4])
    q_value = dense(dense(state, (4, 20), tf.nn.relu), (20, 2))
    action, target = v1.placeholder("float", [None, 2]), v1.placeholder("float", [None])
    cost = tf.reduce_mean(tf.square(target - tf.reduce_sum(q_value * action, axis=1)))
    v1.train.AdamOptimizer(0.0001).minimize(cost)
    return [q_value]


def policy_gradient() -> Tensors:
    observations = v1.placeholder(tf.float32, [None, 4], name="observations")
    actions, values = (
        v1.placeholder(tf.int32, [None], name="actions_num"),
        v1.placeholder(tf.float32, [None], name="actions_value"),
    )
    acts = dense(dense(observations, (4, 10), tf.nn.tanh), (10, 3))
    act_prob = tf.nn.softmax(acts, name="act_prob")
    neg_log_prob = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=acts, labels=actions)
    v1.train.AdamOptimizer(0.01).minimize(tf.reduce_mean(neg_log_prob * values))
    return [act_prob, acts]


def collaborative_filter() -> Tensors:
    users, items = v1.placeholder(tf.int32, [None], name="users"), v1.placeholder(tf.int32, [None], name="items")
    ratings = v1.placeholder(tf.float32, [None], name="ratings")
    u, i = tf.nn.embedding_lookup(weight(10, 3), users), tf.nn.embedding_lookup(weight(12, 3), items)
    infer = tf.reduce_sum(u * i, 1) + tf.nn.embedding_lookup(bias(10), users) + tf.nn.embedding_lookup(bias(12), items)
    cost = tf.nn.l2_loss(infer - ratings) + 0.1 * (tf.nn.l2_loss(u) + tf.nn.l2_loss(i))
    v1.train.GradientDescentOptimizer(0.01).minimize(cost)
    return [infer]


def language_model() -> Tensors:
    words, targets = v1.placeholder(tf.int32, [4, 6]), v1.placeholder(tf.int32, [4, 6])
    embedded = tf.nn.embedding_lookup(weight(20, 5), words)
    output = tf.reshape(embedded, [-1, 5])
    logits = v1.nn.xw_plus_b(output, weight(5, 20), bias(20))
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(targets, [-1]), logits=logits)
    cost = tf.reduce_sum(loss) / 4
    variables = v1.trainable_variables()
    gradients, _ = tf.clip_by_global_norm(tf.gradients(cost, variables), 5)
    v1.train.GradientDescentOptimizer(v1.Variable(0.0, trainable=False)).apply_gradients(
        zip(gradients, variables, strict=True)
    )
    return [logits]


def character_model() -> Tensors:
    x, y = v1.placeholder(tf.int32, [2, 5]), v1.placeholder(tf.int32, [2, 5])
    logits = tf.matmul(tf.reshape(tf.nn.embedding_lookup(weight(9, 4), x), [-1, 4]), weight(4, 9)) + bias(9)
    probs = tf.nn.softmax(logits)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(y, [-1]), logits=logits)
    v1.train.AdamOptimizer(v1.Variable(0.0, trainable=False)).minimize(tf.reduce_mean(loss))
    return [probs, logits]


def from_a_queue() -> Tensors:
    image, label = v1.placeholder(tf.float32, [8], name="one_image"), v1.placeholder(tf.int32, [], name="one_label")
    queue = v1.FIFOQueue(8, [tf.float32, tf.int32], [[8], []])
    queue.enqueue([image, label])
    images, labels = queue.dequeue_many(4)
    logits = dense(images, (8, 3))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    v1.train.AdagradOptimizer(0.1).minimize(loss)
    return [logits]


def from_a_data_set() -> Tensors:
    data = tf.data.Dataset.from_tensors((np.ones([4, 6], np.float32), np.zeros([4], np.int64))).repeat()
    features, labels = v1.data.make_one_shot_iterator(data).get_next()
    logits = dense(features, (6, 3))
    predictions = {"classes": tf.argmax(logits, 1), "probabilities": tf.nn.softmax(logits, name="softmax_tensor")}
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    v1.metrics.accuracy(labels, predictions["classes"])
    v1.train.GradientDescentOptimizer(0.1).minimize(loss, v1.train.get_or_create_global_step())
    return [*predictions.values(), logits]


def object_detector() -> Tensors:
    images, truth = v1.placeholder(tf.float32, [None, 16, 16, 3]), v1.placeholder(tf.float32, [None, 4, 4, 6])
    h = tf.nn.leaky_relu(tf.nn.conv2d(images, weight(3, 3, 3, 4), 4, "SAME"))
    net_out = tf.nn.bias_add(tf.nn.conv2d(h, weight(1, 1, 4, 6), 1, "SAME"), bias(6))
    boxes = tf.identity(tf.sigmoid(net_out), name="output")
    loss = tf.reduce_sum(tf.square(boxes[..., :4] - truth[..., :4])) + tf.reduce_sum(
        tf.square(boxes[..., 4:] - truth[..., 4:])
    )
    v1.train.AdamOptimizer(1e-4).minimize(loss)
    return [boxes, boxes.op.inputs[0]]


def super_resolution() -> Tensors:
    images, labels = (
        v1.placeholder(tf.float32, [None, 9, 9, 1], name="images"),
        v1.placeholder(tf.float32, [None, 9, 9, 1], name="labels"),
    )
    h = tf.nn.relu(tf.nn.conv2d(images, weight(3, 3, 1, 4), 1, "SAME") + bias(4))
    pred = tf.nn.conv2d(h, weight(3, 3, 4, 1), 1, "SAME") + bias(1)
    loss = tf.reduce_mean(tf.square(labels - pred))
    v1.train.GradientDescentOptimizer(1e-4).minimize(loss)
    return [pred]


def siamese() -> Tensors:
    left, right = (
        v1.placeholder(tf.float32, [None, 6], name="left"),
        v1.placeholder(tf.float32, [None, 6], name="right"),
    )
    label = v1.placeholder(tf.float32, [None], name="label")
    w, b = weight(6, 3), bias(3)
    a, c = tf.nn.relu(tf.matmul(left, w) + b), tf.nn.relu(tf.matmul(right, w) + b)
    distance = tf.sqrt(tf.reduce_sum(tf.square(a - c), 1) + 1e-6, name="distance")
    loss = tf.reduce_mean(label * tf.square(distance) + (1 - label) * tf.square(tf.maximum(1 - distance, 0)))
    v1.train.AdamOptimizer().minimize(loss)
    return [distance]


def scoped_training() -> Tensors:
    with v1.variable_scope("model"):
        x = v1.placeholder(tf.float32, [None, 5], name="features")
        logits = dense(dense(x, (5, 4), tf.nn.elu), (4, 3))
        classes = tf.argmax(logits, axis=-1)
    with v1.variable_scope("training"):
        y = v1.placeholder(tf.int64, [None], name="targets")
        weights = v1.placeholder(tf.float32, [None], name="example_weights")
        loss = v1.losses.sparse_softmax_cross_entropy(y, logits, weights)
        rate = v1.placeholder(tf.float32, name="rate")
        v1.train.AdamOptimizer(rate).minimize(loss)
    with v1.variable_scope("metrics"):
        v1.metrics.accuracy(y, classes)
    return [logits, classes]


def moving_averages() -> Tensors:
    x, y = v1.placeholder(tf.float32, [None, 6], name="x-input"), v1.placeholder(tf.float32, [None, 3], name="y-input")
    w = weight(6, 3)
    step = v1.Variable(0, trainable=False)
    averages = v1.train.ExponentialMovingAverage(0.99, step)
    update = averages.apply([w])
    logits, average_y = tf.matmul(x, w), tf.matmul(x, averages.average(w))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=tf.argmax(y, 1)))
    with tf.control_dependencies([v1.train.GradientDescentOptimizer(0.8).minimize(loss, step), update]):
        tf.no_op("train")
    tf.reduce_mean(tf.cast(tf.equal(tf.argmax(average_y, 1), tf.argmax(y, 1)), tf.float32))
    return [logits, average_y]


def multi_task() -> Tensors:
    x = v1.placeholder(tf.float32, [None, 6], name="X")
    first, second = v1.placeholder(tf.float32, [None, 2], name="Y1"), v1.placeholder(tf.float32, [None, 3], name="Y2")
    shared = dense(x, (6, 5), tf.nn.relu)
    a, b = dense(shared, (5, 2)), dense(shared, (5, 3))
    loss = tf.nn.l2_loss(first - a) + tf.nn.l2_loss(second - b)
    v1.train.AdamOptimizer().minimize(loss)
    return [a, b]


def translated_speech() -> Tensors:
    inputs, lengths = v1.placeholder(tf.float32, [None, 6, 4]), v1.placeholder(tf.int32, [None])
    targets = v1.sparse_placeholder(tf.int32)
    logits = tf.reshape(tf.matmul(tf.reshape(inputs, [-1, 4]), weight(4, 5)) + bias(5), [tf.shape(inputs)[0], -1, 5])
    logits = tf.transpose(logits, (1, 0, 2))
    cost = tf.reduce_mean(v1.nn.ctc_loss(targets, logits, lengths))
    v1.train.MomentumOptimizer(0.01, 0.9).minimize(cost)
    decoded, _ = v1.nn.ctc_greedy_decoder(logits, lengths)
    tf.reduce_mean(tf.edit_distance(tf.cast(decoded[0], tf.int32), targets))
    return [logits, decoded[0].indices, logits.op.inputs[0]]


NETS: list[Callable[[], Tensors]] = [
    linear_regression, logistic_regression, softmax_tutorial, perceptron, convolution_with_dropout, sparse_labels,
    autoencoder, denoising_autoencoder, variational_autoencoder, recurrent_classifier, recurrent_of_lengths,
    text_convolution, batch_normalised, residual, segmentation, binary_classifier, multi_label, q_network,
    policy_gradient, collaborative_filter, language_model, character_model, from_a_queue, from_a_data_set,
    object_detector, super_resolution, siamese, scoped_training, moving_averages, multi_task, translated_speech,
]  # fmt: skip
