"""Columns of the metrics of a step, and the values that they have over many steps or batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MetricColumns:
    """Columns of the metrics of a step: a value for each metric, then numerator and denominator of each pair.

    Args:
        names: Names of the metrics, ``loss`` first.
        pairs: Names of those that are a numerator over a denominator; the others are means over batches.
        running: Names of those that have taken in all batches so far, so that the last value counts.
        no_nan: Names of the pairs that are 0 instead of nan where all batches are 0/0.
        losses: Names of the losses whose sum is part of the first metric.
        rates: Names of the learning rates, which are running too.

    Example:
        >>> columns = MetricColumns(("loss", "recall", "auc"), pairs=("recall",), running=("auc",))
        >>> first, second = np.array([[0.2, 0.5, 0.6, 1.0, 2.0], [0.4, 1.0, 0.7, 6.0, 6.0]])
        >>> columns.over(first + second, 2, last=second)
        array([0.3  , 0.875, 0.7  ])
    """

    names: tuple[str, ...]
    pairs: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    no_nan: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Names of all columns."""
        return (*self.names, *(f"{name}/{part}" for name in self.pairs for part in ("numerator", "denominator")))

    @property
    def weighted(self) -> Values:
        """Mask of the columns that are weighted by the examples of a batch, bool [columns]; sums are not."""
        return np.array([True] * len(self.names) + [False] * 2 * len(self.pairs))

    def over(self, sums: Values, weight: float, last: Values) -> Values:
        """Returns the values over many batches; a pair is nan where all of them are 0/0.

        Args:
            sums: Weighted sums of the columns, float64 [..., columns].
            weight: Sum of the weights.
            last: Columns of the last batch, [..., columns].

        Returns:
            Value of each metric, float64 [..., metrics].
        """
        count = len(self.names)
        values = sums[..., :count] / weight
        means = values.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            for place, name in enumerate(self.pairs):
                numerator = count + 2 * place
                value = sums[..., numerator] / sums[..., numerator + 1]
                values[..., self.names.index(name)] = np.nan_to_num(value, nan=0.0) if name in self.no_nan else value
        for name in self.running:
            values[..., self.names.index(name)] = last[..., self.names.index(name)]
        for name in self.losses:
            if name in self.pairs:
                # The total is the sum of the losses over all batches, not the mean of the batches' totals.
                place = self.names.index(name)
                values[..., 0] += values[..., place] - means[..., place]
        return values
