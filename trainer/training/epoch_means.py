"""Values of the metrics over an epoch, independent of the number of steps in each call into the graph."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from trainer.graph.losses.metric_columns import MetricColumns

Values = np.ndarray[Any, Any]


class EpochMeans:
    """Running sums in float64, step after step, so that the order of additions never depends on the calls.

    Args:
        columns: Columns of the metrics of a step.
        steps_per_epoch: Number of updates in an epoch.

    Example:
        >>> means = EpochMeans(MetricColumns(("loss",)), steps_per_epoch=3)
        >>> means.add(np.array([[1.0], [2.0]], np.float32), secs=0.5)
        []
        >>> means.add(np.array([[6.0], [1.0]], np.float32), secs=0.5)
        [{'loss': 3.0, 'steps_per_sec': 4.0}]
    """

    def __init__(self, columns: MetricColumns, steps_per_epoch: int) -> None:
        self._columns = columns
        self._steps_per_epoch = steps_per_epoch
        self._reset()

    def _reset(self) -> None:
        self._sums: Values = np.zeros((1, len(self._columns.all)))
        self._last: Values = np.zeros((0, len(self._columns.all)))
        self._steps = 0
        self._timed_steps = 0
        self._secs = 0.0

    def add(self, values: Values, secs: float) -> list[dict[str, float]]:
        """Adds the metrics of some steps.

        Args:
            values: Metrics, float32 [steps, columns].
            secs: Seconds that these steps took.

        Returns:
            The values and ``steps_per_sec`` of each epoch that ended in these steps.
        """
        values, secs_per_step = values.astype(np.float64), secs / len(values)
        # The rest of the current epoch, then whole epochs at once, then the start of another.
        head = min(-self._steps % self._steps_per_epoch, len(values))
        body = len(values) - (len(values) - head) % self._steps_per_epoch
        ended = []
        if head:
            self._take_in(values[:head], secs_per_step)
            if self._steps == self._steps_per_epoch:
                ended += self._values(self._sums, values[head - 1 : head], self._timed_steps, self._secs)
                self._reset()
        if head < body:
            epochs = values[head:body].reshape(-1, self._steps_per_epoch, values.shape[1])
            ended += self._values(_sums(epochs)[:, 0], epochs[:, -1], len(values), secs)
        if body < len(values):
            self._take_in(values[body:], secs_per_step)
        return ended

    @property
    def steps(self) -> int:
        """Number of steps since the end of an epoch."""
        return self._steps

    def so_far(self) -> dict[str, float]:
        """Returns the values of the epoch that goes on; {} at its beginning.

        Example:
            >>> means = EpochMeans(MetricColumns(("loss",)), steps_per_epoch=3)
            >>> means.add(np.array([[1.0], [2.0]], np.float32), secs=0.5), means.so_far()
            ([], {'loss': 1.5})
        """
        if not self._steps:
            return {}
        # A resume knows the sums, but not the last step: of what has taken in all batches it knows nothing yet.
        unknown = () if len(self._last) else self._columns.running
        values = self._columns.over(self._sums, self._steps, self._last if len(self._last) else self._sums)
        named = zip(self._columns.names, values[0].tolist(), strict=True)
        return {name: value for name, value in named if name not in unknown}

    def _take_in(self, values: Values, secs_per_step: float) -> None:
        self._sums = _sums(np.concatenate([self._sums, values])[np.newaxis])[0]
        self._last = values[-1:]
        self._steps += len(values)
        self._timed_steps += len(values)
        self._secs += secs_per_step * len(values)

    def _values(self, sums: Values, last: Values, timed_steps: int, secs: float) -> list[dict[str, float]]:
        speed = {"steps_per_sec": round(timed_steps / secs, 1)} if secs > 0 else {}
        rows = self._columns.over(sums, self._steps_per_epoch, last).tolist()
        ended = [{**dict(zip(self._columns.names, row, strict=True)), **speed} for row in rows]
        for name in self._columns.rates:
            for each in ended:
                # 0.1 is 0.10000000149011612 in float32.
                each[name] = float(f"{each[name]:.7g}")
        return ended

    def state_dict(self) -> dict[str, Any]:
        """Returns the sums of the epoch so far, None for nan; the speed belongs to this process and is left out."""
        sums = [value if isfinite(value) else None for value in self._sums[0].tolist()]
        return {"steps": self._steps, "sums": dict(zip(self._columns.all, sums, strict=True))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues in the middle of an epoch."""
        self._reset()
        self._steps = int(state["steps"])
        sums = [state["sums"].get(name, 0.0) for name in self._columns.all]
        self._sums[0] = [np.nan if value is None else value for value in sums]


def _sums(epochs: Values) -> Values:
    """Returns the sums over the steps, float64 [epochs, 1, metrics] for [epochs, steps, metrics].

    The pairwise additions of np.sum would depend on where the steps are cut into calls. Adding 0 turns
    -0.0 into 0.0, as it is where a sum continues from an earlier call.
    """
    return np.cumsum(epochs, axis=1)[:, -1:] + 0.0
