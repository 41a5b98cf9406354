"""Synthetic examples, for the shipped experiments."""

from __future__ import annotations

import numpy as np

from trainer.checks import check_int
from trainer.data.arrays import Arrays


def line(examples: int = 3200, slope: float = 3.0, intercept: float = 1.0, noise: float = 0.1, seed: int = 0) -> Arrays:
    """Returns points on a line with Gaussian noise.

    Args:
        examples: Number of points.
        slope: Slope of the line.
        intercept: Value of y at x = 0.
        noise: Standard deviation of the noise added to y.
        seed: Seed of the points and the noise.

    Returns:
        Input ``x``, float32 [examples, 1] from -1 to 1, and label ``y``, float32 [examples, 1].
    """
    rng = _generator(seed)
    x = rng.uniform(-1.0, 1.0, (check_int("data.examples.examples", examples, minimum=1), 1))
    y = slope * x + intercept + rng.normal(0.0, _deviation(noise), x.shape)
    return Arrays({"x": x.astype(np.float32)}, {"y": y.astype(np.float32)})


def ratings(users: int = 200, items: int = 100, taste_size: int = 4, noise: float = 0.1, seed: int = 0) -> Arrays:
    """Returns ratings of each item by each user, computed from hidden vectors.

    A rating is the scalar product of the user's and the item's hidden vectors, divided by the
    square root of their length, plus noise. The user likes an item if the rating without noise is
    above 0.

    Args:
        users: Number of users; each rates every item.
        items: Number of items.
        taste_size: Length of the hidden vectors.
        noise: Standard deviation of the noise added to a rating.
        seed: Seed of the hidden vectors and the noise.

    Returns:
        Inputs ``user`` and ``item``, int32 [pairs], and labels ``stars``, float32 [pairs], and
        ``like``, float32 [pairs], 0 or 1.
    """
    users = check_int("data.examples.users", users, minimum=1)
    items = check_int("data.examples.items", items, minimum=1)
    taste_size = check_int("data.examples.taste_size", taste_size, minimum=1)
    rng = _generator(seed)
    user, item = (part.ravel().astype(np.int32) for part in np.mgrid[0:users, 0:items])
    tastes = rng.normal(size=(users, taste_size)), rng.normal(size=(items, taste_size))
    score = np.sum(tastes[0][user] * tastes[1][item], axis=1) / np.sqrt(taste_size)
    stars = score + rng.normal(0.0, _deviation(noise), score.shape)
    return Arrays(
        {"user": user, "item": item},
        {"stars": stars.astype(np.float32), "like": (score > 0).astype(np.float32)},
    )


def ring(examples: int = 3200, modes: int = 8, noise: float = 0.05, codes: int = 2, seed: int = 0) -> Arrays:
    """Returns points around the corners of a regular polygon, and codes from which a generator makes such points.

    Args:
        examples: Number of points.
        modes: Number of corners, at the distance 1 from the origin.
        noise: Standard deviation of the points around their corner.
        codes: Length of a code.
        seed: Seed of the points and the codes.

    Returns:
        Input ``code``, float32 [examples, codes], normal, and label ``point``, float32 [examples, 2]; the two are
        independent.
    """
    shape = check_int("data.examples.examples", examples, minimum=1)
    rng = _generator(seed)
    angle = 2 * np.pi / check_int("data.examples.modes", modes, minimum=1) * rng.integers(0, modes, shape)
    corner = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    point = corner + rng.normal(0.0, _deviation(noise), corner.shape)
    code = rng.normal(size=(shape, check_int("data.examples.codes", codes, minimum=1)))
    return Arrays({"code": code.astype(np.float32)}, {"point": point.astype(np.float32)})


def visits(examples: int = 20_000, pages: int = 30, adverts: int = 30, seed: int = 0) -> Arrays:
    """Returns visits to pages with an advert, and whether it was clicked.

    The chance of a click has a part for each pair of page and advert, which can only be memorised, and a smooth part
    in the traits of the visitor.

    Args:
        examples: Number of visits.
        pages: Number of pages.
        adverts: Number of adverts.
        seed: Seed of the visits and the chances.

    Returns:
        Inputs ``page`` and ``advert``, int32 [examples], ``traits``, float32 [examples, 4], and label ``click``,
        float32 [examples], 0 or 1.
    """
    examples = check_int("data.examples.examples", examples, minimum=1)
    pages = check_int("data.examples.pages", pages, minimum=1)
    adverts = check_int("data.examples.adverts", adverts, minimum=1)
    rng = _generator(seed)
    page, advert = rng.integers(0, pages, examples), rng.integers(0, adverts, examples)
    traits = rng.normal(size=(examples, 4))
    of_pair = rng.normal(0.0, 2.0, (pages, adverts))[page, advert]
    smooth = 2.0 * np.sin(traits @ rng.normal(size=4)) * np.tanh(traits[:, 0])
    chance = 1.0 / (1.0 + np.exp(-of_pair - smooth))
    return Arrays(
        {"page": page.astype(np.int32), "advert": advert.astype(np.int32), "traits": traits.astype(np.float32)},
        {"click": (rng.uniform(size=examples) < chance).astype(np.float32)},
    )


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(check_int("data.examples.seed", seed, minimum=0))


def _deviation(noise: float) -> float:
    if noise < 0:
        raise ValueError(f"data.examples.noise ({noise:g}) must be at least 0")
    return noise
