"""Remedies for constructors that need values, which a graph does not have while it is built."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

VOCABULARY = "compute the vocabulary before, and give it as vocabulary="
ADAPT = {
    "Discretization": "compute the boundaries before, and give them as bin_boundaries=",
    "IntegerLookup": VOCABULARY,
    "Normalization": "give it a NumPy array, or mean= and variance=",
    "StringLookup": VOCABULARY,
    "TextVectorization": f"{VOCABULARY} (and idf_weights=)",
}
"""What to do instead of ``adapt``, by class of Keras layer; an array suffices where an array can be taken."""

INSTEAD = {
    "evaluate": "the trainer evaluates",
    "fit": "the trainer trains; give weights of another training by load_weights, or by warm_start.path",
    "get_weights": "assign one variable to the other: b.assign(a)",
    "predict": "compute the values before, and give them as NumPy arrays",
    "quantize": "quantize the net before, save it, and load it here",
}
"""What to do instead of other methods of Keras."""

NEEDS_VALUES = ("eager", "symbolic")
"""Words in the errors of TensorFlow and Keras where a value is needed."""


def remedy_for(error: BaseException) -> str:
    """Returns what to do where a constructor needs a value; "" for an error of another kind.

    Example:
        >>> import tensorflow as tf
        >>> with tf.Graph().as_default():
        ...     try:
        ...         bool(tf.constant(1.0) > 0.0)
        ...     except TypeError as error:
        ...         remedy_for(error)
        'a graph has no values while it is built: compute them before with NumPy'
    """
    if not any(word in str(error) for word in NEEDS_VALUES):
        return ""
    for method, owner in _methods_of_keras(error):
        if method == "adapt":
            kinds = [kind.__name__ for kind in type(owner).__mro__]
            instead = next((ADAPT[kind] for kind in kinds if kind in ADAPT), VOCABULARY)
            return f"{kinds[0]}.adapt cannot read this in a graph: {instead}"
        if method in INSTEAD:
            return f"{type(owner).__name__}.{method} needs values, and a graph has none yet: {INSTEAD[method]}"
    return "a graph has no values while it is built: compute them before with NumPy"


def _methods_of_keras(error: BaseException) -> Iterator[tuple[str, Any]]:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        known = frame.f_locals
        if "/keras/" not in frame.f_code.co_filename:
            continue
        if "self" in known:
            yield frame.f_code.co_name, known["self"]
        elif known.get("args") and "fn" in known:
            # Keras hides the frame of a method behind one that shortens the traceback.
            yield known["fn"].__name__, known["args"][0]
