"""Means of the metrics over an epoch, the same however many steps each call into the graph ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class EpochMeans:
    """Sums step after step in float64, so that the order of additions never depends on the calls.

    Args:
        names: the metrics, one a column.

    Example:
        >>> means = EpochMeans(("loss",))
        >>> means.add(np.array([[1.0], [2.0]], np.float32), secs=0.5)
        >>> means.add(np.array([[6.0]], np.float32), secs=0.25)
        >>> means.take()
        {'loss': 3.0, 'steps_per_sec': 4.0}
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._reset()

    def _reset(self) -> None:
        self._sums: np.ndarray[Any, Any] = np.zeros((1, len(self._names)))
        self._steps = 0
        self._timed_steps = 0
        self._secs = 0.0

    def add(self, values: np.ndarray[Any, Any], secs: float) -> None:
        """Takes in the metrics of some steps.

        Args:
            values: float32 [steps, metrics].
            secs: how long these steps took.
        """
        # Not np.sum: its pairwise additions depend on where the steps are cut into calls.
        self._sums = np.cumsum(np.concatenate([self._sums, values.astype(np.float64)]), axis=0)[-1:]
        self._steps += len(values)
        self._timed_steps += len(values)
        self._secs += secs

    def take(self) -> dict[str, float]:
        """Returns the means of the epoch and ``steps_per_sec``, and starts the next epoch."""
        sums = self._sums[0].tolist()
        means = {name: total / self._steps for name, total in zip(self._names, sums, strict=True)}
        if self._secs > 0:
            means["steps_per_sec"] = round(self._timed_steps / self._secs, 1)
        self._reset()
        return means

    def state_dict(self) -> dict[str, Any]:
        """Returns the sums of the epoch so far; the speed is of this process alone and left out."""
        return {"steps": self._steps, "sums": dict(zip(self._names, self._sums[0].tolist(), strict=True))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on in the middle of an epoch."""
        self._reset()
        self._steps = int(state["steps"])
        self._sums[0] = [state["sums"].get(name, 0.0) for name in self._names]
