"""A generative adversarial net for digits, as such programs were written: two nets, two train ops."""

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.datasets import load_digits

tf.disable_v2_behavior()

BATCH_SIZE = 64
NOISE = 16


def fully_connected(x, size, scope):
    with tf.variable_scope(scope):
        w = tf.get_variable("w", [x.get_shape()[-1], size], initializer=tf.truncated_normal_initializer(stddev=0.1))
        b = tf.get_variable("b", [size], initializer=tf.constant_initializer(0.0))
        return tf.matmul(x, w) + b


def generator(z):
    with tf.variable_scope("generator"):
        h = tf.nn.relu(fully_connected(z, 64, "hidden"))
        return tf.nn.sigmoid(fully_connected(h, 64, "image"))


def discriminator(image, reuse=None):
    with tf.variable_scope("discriminator", reuse=reuse):
        h = tf.nn.leaky_relu(fully_connected(image, 64, "hidden"))
        return fully_connected(h, 1, "logit")


def cross_entropy(logits, is_real):
    labels = tf.ones_like(logits) if is_real else tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=labels))


def program():
    z = tf.placeholder(tf.float32, [None, NOISE], name="z")
    real = tf.placeholder(tf.float32, [None, 64], name="real")

    image = generator(z)
    logits_real = discriminator(real)
    logits_fake = discriminator(image, reuse=True)

    d_loss = cross_entropy(logits_real, True) + cross_entropy(logits_fake, False)
    g_loss = cross_entropy(logits_fake, True)

    t_vars = tf.trainable_variables()
    d_vars = [var for var in t_vars if var.name.startswith("discriminator")]
    g_vars = [var for var in t_vars if var.name.startswith("generator")]
    d_optim = tf.train.AdamOptimizer(2e-4, beta1=0.5).minimize(d_loss, var_list=d_vars)
    g_optim = tf.train.AdamOptimizer(1e-3, beta1=0.5).minimize(g_loss, var_list=g_vars)

    tf.summary.histogram("z", z)
    tf.summary.scalar("d_loss", d_loss)
    tf.train.Saver(max_to_keep=5)

    return {
        "outputs": {"image": image},
        "loss": d_loss,
        "train_op": [d_optim, g_optim],
        "metrics": {"g_loss": g_loss, "real_is_real": tf.reduce_mean(tf.nn.sigmoid(logits_real))},
    }


def batches():
    """Yields what the loop fed in a pass over the images; the noise of a pass is that of its seed."""
    images = load_digits().data / 16.0
    random = np.random.RandomState(0)
    order = random.permutation(len(images))
    for start in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
        yield {
            "real": images[order[start : start + BATCH_SIZE]],
            "z": random.uniform(-1.0, 1.0, [BATCH_SIZE, NOISE]),
        }
