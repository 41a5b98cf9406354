"""The 1,797 images of handwritten digits in scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer import data
from trainer.data.arrays import Arrays
from trainer.errors import RequestError


def load(classes: Sequence[int] | None = None) -> Arrays:
    """Returns the digits; they are part of the installed package, nothing is downloaded.

    Args:
        classes: Digits to keep, 0 to 9; None for all. The labels remain the digits themselves.

    Returns:
        Input ``image``, float32 [examples, 8, 8, 1] from 0 to 1, and label ``digit``, int32
        [examples]; 1,797 examples of all classes.
        Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.

    Raises:
        RequestError: The package scikit-learn is not installed.
        ValueError: A class is not a digit, or the list is empty.

    Example:
        >>> sorted({int(digit) for digit in load([5, 6]).labels["digit"]})
        [5, 6]
    """
    unknown = [each for each in classes or () if each not in range(10)]
    if unknown or classes == []:
        raise ValueError(f"classes ({list(classes or ())}) must be digits from 0 to 9, at least one")
    try:
        load_digits = data.load_digits
    except ImportError as error:
        raise RequestError(
            "the digits need scikit-learn, which is not installed; pip install 'graph-trainer[digits]'"
        ) from error
    stored = load_digits()
    images = (stored.images / 16.0).astype(np.float32)[..., np.newaxis]
    digits = Arrays({"image": images}, {"digit": stored.target.astype(np.int32)})
    return digits if classes is None else digits.take(np.flatnonzero(np.isin(stored.target, list(classes))))
