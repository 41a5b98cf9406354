"""Shuffle of the examples in each pass, computed for each index on its own, without state.

A Feistel network over pairs (l, r) with l < a, r < b and a * b just above the number of examples;
its rounds add modulo a and b. A result outside the examples is encrypted again until it is inside.
Sources: J. Black and P. Rogaway, Ciphers with Arbitrary Finite Domains, 2002 (the construction);
A. Appleby, MurmurHash3, 2011 (the mixing of bits, public domain).

TensorFlow's ``RandomIndexShuffle`` does the same, but took most of the step time of a small model.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

Constant = Callable[[int], Any]
"""Returns a number of the graph, int64 scalar."""

ROUNDS = 4
MASK = 0xFFFFFFFF

STRIDE = 0x7F4A7C15
"""Distance between the keys of two rounds; any odd number works."""


def shuffled(indices: Any, passes: Any, examples: int, seed: int) -> Any:
    """Returns the shuffled indices: in each pass a permutation of all examples.

    Args:
        indices: Indices before the shuffle, int64 [n], at least 0 and less than ``examples``.
        passes: Pass over the data that each index belongs to, int64 [n].
        examples: Number of examples, less than 2**31.
        seed: Seed of the order of every pass.

    Returns:
        Indices of examples, int64 [n].
    """
    if examples < 2:
        return indices
    a = math.isqrt(examples - 1) + 1
    b = -(-examples // a)
    constant = _constants()
    key = _mixed(passes + constant(seed * 0x9E3779B9), constant)

    def once(x: Any) -> Any:
        constant = _constants()
        left, right = x // constant(b), x % constant(b)
        for round_ in range(ROUNDS):
            left = _added(left, _mixed(right + key + constant(2 * round_ * STRIDE), constant), a, constant)
            right = _added(right, _mixed(left + key + constant((2 * round_ + 1) * STRIDE), constant), b, constant)
        return left * constant(b) + right

    def walk(x: Any, outside: Any) -> Any:
        x = tf.where(outside, once(x), x)
        return x, x >= examples

    start = indices, tf.ones_like(indices, tf.bool)
    return tf.while_loop(lambda _, outside: tf.reduce_any(outside), walk, start, parallel_iterations=1)[0]


def _constants() -> Constant:
    """Returns a function that returns 32 bits as int64, one op for each number: ops are what a start waits for."""
    return functools.cache(lambda value: tf.constant(value & MASK, tf.int64))


def _mixed(x: Any, constant: Constant) -> Any:
    """Returns 32 mixed bits as int64; each depends on all of the 32 low bits of ``x``."""
    x = tf.bitwise.bitwise_and(x, constant(MASK))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, constant(shift)))
        # The product wraps at 64 bits, which leaves its 32 low bits correct; only these are kept.
        x = tf.bitwise.bitwise_and(x * constant(factor), constant(MASK))
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, constant(16)))


def _added(x: Any, bits: Any, modulus: int, constant: Constant) -> Any:
    """Returns ``x`` plus a number below ``modulus`` derived from ``bits``, modulo ``modulus``."""
    total = x + tf.bitwise.right_shift(bits * constant(modulus), constant(32))
    return tf.where(total >= constant(modulus), total - constant(modulus), total)
