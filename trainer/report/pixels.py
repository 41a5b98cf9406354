"""Images of a data set as small pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MAX_PIXELS = 96
"""Rows and columns of a picture that is kept; a larger one is thinned."""


def thumbnails(images: Array) -> Array:
    """Returns images with a channel axis, thinned where they are large.

    Args:
        images: Images [examples, height, width] or with channels.
    """
    rows, columns = (-(-size // MAX_PIXELS) for size in images.shape[1:3])
    thin = images[:, ::rows, ::columns]
    return thin[..., np.newaxis] if thin.ndim == 3 else thin


def as_pixels(images: Array) -> Array:
    """Returns images of any range as uint8: 0 to 255 as they are, 0 to 1 scaled, others from their least to greatest.

    Args:
        images: Images [examples, height, width, channels].

    Example:
        >>> as_pixels(np.array([0.0, 0.5, 1.0]).reshape(1, 1, 3, 1)).ravel().tolist()
        [0, 128, 255]
    """
    values = np.nan_to_num(images.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if low >= 0 and high > 1 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scaled = (values - low) / max(high - low, 1e-12)
    return np.round(255 * scaled).astype(np.uint8)
