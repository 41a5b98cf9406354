"""Callbacks of ``debug=overfit``, and what it tells at its end."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from trainer.callback import Callback, Context, Phase
from trainer.training.callback_list import CallbackList

log = logging.getLogger(__name__)

NAME = "overfitting"

FAR, LITTLE = 0.1, 0.7
"""Shares of the first loss: below the one, the last loss has fallen far; above the other, hardly."""


class FirstAndLastLoss(Callback):
    """Records the loss of the first and of the last epoch.

    Example:
        >>> FirstAndLastLoss().losses
        []
    """

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_epoch_end(self, context: Context) -> None:
        """Records the loss."""
        self.losses[1:] = [context.record.metrics["loss"]]


def watching_alone(callbacks: Mapping[str, Callback]) -> dict[str, Callback]:
    """Returns the callbacks that neither save nor export, nor need what is saved; and one that records the loss."""
    kept = {
        name: each
        for name, each in callbacks.items()
        if not isinstance(each, Callback) or (each.phase is Phase.OBSERVE and not each.needs_best_checkpoint)
    }
    return {**kept, NAME: FirstAndLastLoss()}


def tell_of_overfitting(callbacks: CallbackList) -> None:
    """Tells whether the loss of the one batch has fallen."""
    recorder = callbacks.named(NAME)
    if isinstance(recorder, FirstAndLastLoss) and recorder.losses:
        log.info("%s", verdict(recorder.losses[0], recorder.losses[-1]))


def verdict(first: float, last: float) -> str:
    """Returns what the first and the last loss of one batch say about a model.

    Example:
        >>> verdict(2.3, 0.004)
        'one batch: loss 2.3 -> 0.004, so the model can learn it'
        >>> verdict(2.3, 0.9)
        'one batch: loss 2.3 -> 0.9, still falling; loop.epochs=1000 or a higher learning rate shows more'
        >>> verdict(2.3, 2.2)
        'one batch: loss 2.3 -> 2.2, which has hardly fallen; look at the loss, the labels and the learning rate'
    """
    told = f"one batch: loss {first:.4g} -> {last:.4g}"
    # A log-likelihood may be negative, and then has no share of the first one.
    if not math.isfinite(last) or last >= (first * LITTLE if first > 0 else first):
        return f"{told}, which has hardly fallen; look at the loss, the labels and the learning rate"
    if first > 0 and last >= first * FAR:
        return f"{told}, still falling; loop.epochs=1000 or a higher learning rate shows more"
    return f"{told}, so the model can learn it"
