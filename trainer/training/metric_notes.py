"""Notes about metrics that are not finite, each metric once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import isfinite

from trainer.graph.losses.metric_columns import MetricColumns

log = logging.getLogger(__name__)


class MetricNotes:
    """Warnings about metrics that are nan or infinite; no such value is ever the best.

    Args:
        columns: Columns of the metrics of a step.
    """

    def __init__(self, columns: MetricColumns) -> None:
        self._columns = columns
        self._noted: set[str] = set()

    def note(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Warns of each metric of an epoch that is not finite, unless it has been noted before."""
        for name, value in metrics.items():
            if not isfinite(value) and name not in self._noted:
                self._noted.add(name)
                log.warning("%s", text_of(name, value, epoch, self._columns))


def text_of(name: str, value: float, epoch: int, columns: MetricColumns) -> str:
    """Returns what is said of a metric that is not finite.

    Example:
        >>> text_of("val_recall", float("nan"), 3, MetricColumns(("loss", "recall"), pairs=("recall",)))
        'val_recall is nan in epoch 3 (its denominator is 0 over all batches); it is never the best'
    """
    own = name.removeprefix("val_")
    why = ""
    if own in columns.pairs:
        why = " (its denominator is 0 over all batches)"
    elif own in columns.names and own not in columns.running:
        why = (
            " (a mean over batches, of which one is so, such as by 0/0; a pair (numerator, denominator) is added up "
            "over all of them)"
        )
    return f"{name} is {value:g} in epoch {epoch}{why}; it is never the best"
