"""Precision of Keras layers: the dtype policy under which a graph is built."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import keras

from trainer.checks import check_choice
from trainer.errors import RequestError
from trainer.graph.losses.side_losses import layers_of
from trainer.state import PRECISIONS

log = logging.getLogger(__name__)

NO_LAYERS = (
    "precision=%s changes nothing: %s has no Keras layers, and their policy alone decides; cast in the model itself "
    "(tf.cast), and scale the loss with tf.compat.v1.mixed_precision.MixedPrecisionLossScaleOptimizer"
)


@contextlib.contextmanager
def computed_in(precision: str | None) -> Iterator[None]:
    """Lets the Keras layers that are made in the block compute in a precision; the variables stay float32.

    Args:
        precision: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``; None for Keras's own policy.

    Raises:
        RequestError: The precision is another one.

    Example:
        >>> with computed_in("mixed_bfloat16"):
        ...     keras.layers.Dense(1).compute_dtype
        'bfloat16'
        >>> keras.layers.Dense(1).compute_dtype
        'float32'
    """
    if precision is None:
        yield
        return
    try:
        check_choice("precision", precision, PRECISIONS)
    except (TypeError, ValueError) as error:
        raise RequestError(str(error), argument="precision") from error
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def clear_names() -> None:
    """Lets Keras count layers from the beginning; its policy stays."""
    policy = keras.config.dtype_policy()
    # Collecting garbage takes a third of a second, as much as building a small graph.
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)


def made_in(precision: str | None, make: Callable[[], Any]) -> Callable[[], Any]:
    """Returns a function that makes an object whose Keras layers compute in a precision."""

    def made() -> Any:
        with computed_in(precision):
            return make()

    return made


def tell_precision(precision: str | None, model: Any) -> None:
    """Says where a precision has no effect on a model."""
    if precision not in (None, "float32") and not layers_of(model):
        log.warning(NO_LAYERS, precision, type(model).__name__)
