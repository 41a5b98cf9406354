"""A convolutional net for digits, as such programs were written: placeholders, dropout, averages, a Saver."""

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.datasets import load_digits

tf.disable_v2_behavior()

BATCH_SIZE = 50
LEARNING_RATE = 1e-3


def weight_variable(shape):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1), name="weights")


def bias_variable(shape):
    return tf.Variable(tf.constant(0.1, shape=shape), name="biases")


def conv2d(x, w):
    return tf.nn.conv2d(x, w, strides=[1, 1, 1, 1], padding="SAME")


def max_pool_2x2(x):
    return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def batch_norm(x, is_training):
    size = x.get_shape()[-1].value
    gamma = tf.get_variable("gamma", [size], initializer=tf.ones_initializer())
    beta = tf.get_variable("beta", [size], initializer=tf.zeros_initializer())
    average_mean = tf.get_variable("mean", [size], initializer=tf.zeros_initializer(), trainable=False)
    average_variance = tf.get_variable("variance", [size], initializer=tf.ones_initializer(), trainable=False)
    mean, variance = tf.nn.moments(x, [0, 1, 2])

    def of_batch():
        update_mean = tf.assign(average_mean, 0.9 * average_mean + 0.1 * mean)
        update_variance = tf.assign(average_variance, 0.9 * average_variance + 0.1 * variance)
        with tf.control_dependencies([update_mean, update_variance]):
            return tf.identity(mean), tf.identity(variance)

    mean, variance = tf.cond(is_training, of_batch, lambda: (average_mean + 0.0, average_variance + 0.0))
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def program():
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y_ = tf.placeholder(tf.int64, [None], name="y_")
    keep_prob = tf.placeholder(tf.float32, name="keep_prob")
    is_training = tf.placeholder(tf.bool, name="is_training")

    image = tf.reshape(x, [-1, 8, 8, 1])
    with tf.variable_scope("conv1"):
        h = tf.nn.relu(batch_norm(conv2d(image, weight_variable([3, 3, 1, 16])), is_training))
        h = max_pool_2x2(h)
    with tf.variable_scope("conv2"):
        h = tf.nn.relu(conv2d(h, weight_variable([3, 3, 16, 32])) + bias_variable([32]))
        h = max_pool_2x2(h)
    with tf.variable_scope("fc1"):
        h = tf.reshape(h, [-1, 2 * 2 * 32])
        h = tf.nn.relu(tf.matmul(h, weight_variable([2 * 2 * 32, 64])) + bias_variable([64]))
        h = tf.nn.dropout(h, keep_prob)
    with tf.variable_scope("softmax"):
        y = tf.matmul(h, weight_variable([64, 10])) + bias_variable([10])

    cross_entropy = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=y))
    global_step = tf.Variable(0, trainable=False, name="global_step")
    learning_rate = tf.train.exponential_decay(LEARNING_RATE, global_step, 200, 0.9, staircase=True)
    train_step = tf.train.AdamOptimizer(learning_rate).minimize(cross_entropy, global_step=global_step)
    correct_prediction = tf.equal(tf.argmax(y, 1), y_)
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))

    tf.summary.scalar("cross_entropy", cross_entropy)
    tf.summary.scalar("accuracy", accuracy)
    tf.summary.merge_all()
    tf.train.Saver()

    return {
        "outputs": {"probabilities": tf.nn.softmax(y)},
        "loss": cross_entropy,
        "train_op": train_step,
        "metrics": {"accuracy": accuracy},
        "flags": {"keep_prob": 1.0, "is_training": False},
    }


def batches():
    """Yields what the loop fed in a pass over the training images."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(1500)
    for start in range(0, len(order), BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        yield {"x": images[chosen] / 16.0, "y_": labels[chosen], "keep_prob": 0.5, "is_training": True}


def validation_batches():
    """Yields the other images."""
    images, labels = load_digits(return_X_y=True)
    for start in range(1500, len(images), 99):
        end = start + 99
        yield {"x": images[start:end] / 16.0, "y_": labels[start:end], "keep_prob": 1.0, "is_training": False}
