"""``tf.data`` pipeline over image files; unlike ``trainer.data.images``, this module needs TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.data.unparsed import Unparsed, with_records


def image_dataset(
    files: Sequence[str], classes: Sequence[int], size: tuple[int, int], channels: int, label: str
) -> Any:
    """Returns the ``tf.data.Dataset`` of the examples of ``trainer.data.images.Images``.

    Args:
        files: Paths of the images, in the order in which they are read.
        classes: Number of the class of each image.
        size: Height and width of the examples.
        channels: Number of channels of the examples.
        label: Name of the label.
    """

    def read(path: Any, number: Any) -> Any:
        # The first frame, where a file has several.
        decoded = tf.io.decode_image(tf.io.read_file(path), channels, expand_animations=False)
        decoded.set_shape([None, None, channels])
        return {"image": tf.image.resize(decoded, size, antialias=True) / 255.0}, {label: number}

    paths = tf.data.Dataset.from_tensor_slices((list(files), tf.constant(classes, tf.int32)))
    images = paths.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return with_records(images, Unparsed(paths, read, lambda: len(files), one_by_one=True))
