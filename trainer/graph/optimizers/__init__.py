"""Optimizers of Keras 3 and of ``tf.compat.v1.train``, alone and several, and the averages they keep."""
