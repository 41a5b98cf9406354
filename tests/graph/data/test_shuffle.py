"""The order of the examples: permutations, all of them about equally often."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer.graph.data.shuffle import shuffled


def orders(examples: int, passes: int, seed: int = 1, *, compiled: bool = False) -> np.ndarray:
    """Returns the order of each pass, [passes, examples]."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        indices = tf.tile(tf.range(examples, dtype=tf.int64), [passes])
        which = tf.repeat(tf.range(passes, dtype=tf.int64), examples)
        function = tf.function(lambda: shuffled(indices, which, examples, seed), jit_compile=compiled)
        return session.run(function()).reshape(passes, examples)


@pytest.mark.parametrize("examples", [1, 2, 3, 5, 10, 97, 1000, 1024, 1025])
def test_each_pass_is_a_permutation(examples) -> None:
    assert (np.sort(orders(examples, 4)) == np.arange(examples)).all()


def test_compiled_and_plain_give_the_same() -> None:
    assert np.array_equal(orders(1000, 3), orders(1000, 3, compiled=True))


def test_seeds_and_passes_give_different_orders() -> None:
    first = orders(100, 3)
    assert len({row.tobytes() for row in [*first, *orders(100, 3, seed=2)]}) == 6


def test_every_example_stands_at_every_place_about_equally_often() -> None:
    """Pearson's chi-squared over its degrees of freedom is near 1 for fair draws."""
    examples, passes = 50, 4000
    drawn, expected = orders(examples, passes), passes / examples
    counts = np.array([np.bincount(drawn[:, place], minlength=examples) for place in range(examples)])
    assert 0.85 < ((counts - expected) ** 2 / expected).sum() / (examples * (examples - 1)) < 1.15


def test_neighbours_are_about_equally_often_any_two() -> None:
    examples, passes = 50, 4000
    drawn, pairs = orders(examples, passes), np.zeros((50, 50))
    for place in range(examples - 1):
        np.add.at(pairs, (drawn[:, place], drawn[:, place + 1]), 1)
    different, expected = pairs[~np.eye(examples, dtype=bool)], passes / examples
    assert 0.85 < ((different - expected) ** 2 / expected).sum() / len(different) < 1.15
