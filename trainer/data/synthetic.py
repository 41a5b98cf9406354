"""Examples made by a formula, for the shipped experiments."""

from __future__ import annotations

import numpy as np

from trainer.checks import check_int
from trainer.data.arrays import Arrays


def line(examples: int = 3200, slope: float = 3.0, intercept: float = 1.0, noise: float = 0.1, seed: int = 0) -> Arrays:
    """Returns points on a line with a little noise.

    Args:
        examples: how many.
        slope: of the line.
        intercept: of the line.
        noise: the standard deviation of what is added to y.
        seed: of the points.

    Returns:
        x float32 [examples, 1] from -1 to 1 and y float32 [examples, 1].
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (check_int("data.examples.examples", examples, minimum=1), 1))
    y = slope * x + intercept + rng.normal(0.0, noise, x.shape)
    return Arrays({"x": x.astype(np.float32)}, {"y": y.astype(np.float32)})


def ratings(users: int = 200, items: int = 100, taste_size: int = 4, noise: float = 0.1, seed: int = 0) -> Arrays:
    """Returns what each user thinks of each item, drawn from hidden tastes.

    A rating is the scalar product of the user's and the item's hidden vectors, with noise; an item
    is liked where the noiseless rating is above 0.

    Args:
        users: how many; each rates every item.
        items: how many.
        taste_size: the length of the hidden vectors.
        noise: the standard deviation of what is added to a rating.
        seed: of the tastes.

    Returns:
        inputs ``user`` and ``item`` int32 [pairs], labels ``stars`` float32 [pairs] and ``like``
        float32 [pairs], 0 or 1.
    """
    rng = np.random.default_rng(seed)
    user, item = (part.ravel().astype(np.int32) for part in np.mgrid[0:users, 0:items])
    tastes = rng.normal(size=(users, taste_size)), rng.normal(size=(items, taste_size))
    score = np.sum(tastes[0][user] * tastes[1][item], axis=1) / np.sqrt(taste_size)
    stars = score + rng.normal(0.0, noise, score.shape)
    return Arrays(
        {"user": user, "item": item},
        {"stars": stars.astype(np.float32), "like": (score > 0).astype(np.float32)},
    )
