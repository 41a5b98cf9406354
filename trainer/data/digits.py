"""The 1,797 images of handwritten digits that scikit-learn carries."""

from __future__ import annotations

import numpy as np

from trainer.data.arrays import Arrays
from trainer.errors import RequestError


def load() -> Arrays:
    """Returns the digits; they are part of the installed package, nothing is downloaded.

    Returns:
        ``image`` float32 [1797, 8, 8, 1] from 0 to 1 and ``digit`` int32 [1797].
        Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.

    Raises:
        RequestError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise RequestError(
            "the digits come with scikit-learn, which is not installed; pip install 'graph-trainer[digits]'"
        ) from error
    stored = load_digits()
    images = (stored.images / 16.0).astype(np.float32)[..., np.newaxis]
    return Arrays({"image": images}, {"digit": stored.target.astype(np.int32)})
