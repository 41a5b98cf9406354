"""Means over every N steps, within epochs too, independent of the number of steps in each call into the graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from trainer.graph.losses.metric_columns import MetricColumns
from trainer.state import RunState
from trainer.training.epoch_means import EpochMeans, Values
from trainer.training.plan import RunLength


class LogMeans:
    """Rows of means over the steps from one multiple of N to the next.

    The first multiple after a start in between, such as that of a resume with another N, has no row.

    Args:
        columns: Columns of the metrics of a step.
        length: Length of the whole run.
        every_n_steps: N, or None for no rows.

    Example:
        >>> import numpy as np
        >>> means = LogMeans(MetricColumns(("loss",)), RunLength(epochs=2, steps_per_epoch=4), every_n_steps=3)
        >>> for row in means.add(0, np.array([[1.0], [2.0], [6.0], [1.0], [3.0], [5.0]], np.float32), secs=0.5):
        ...     print(row.epoch, row.global_step, row.metrics)
        0 3 {'loss': 3.0, 'steps_per_sec': 12.0}
        1 6 {'loss': 3.0, 'steps_per_sec': 12.0}
    """

    def __init__(self, columns: MetricColumns, length: RunLength, every_n_steps: int | None) -> None:
        self._every_n_steps = every_n_steps
        self._length = length
        self._means = EpochMeans(columns, every_n_steps or 1)

    def add(self, start: int, values: Values, secs: float) -> deque[RunState]:
        """Adds the metrics of the steps of a call.

        Args:
            start: Global step before the call.
            values: Metrics, float32 [steps, columns].
            secs: Seconds that the call took.

        Returns:
            Rows that are complete, in order.
        """
        every = self._every_n_steps
        if every is None:
            return deque()
        skipped = 0 if start % every == self._means.steps else -start % every
        if skipped >= len(values):
            return deque()
        after = start + skipped - self._means.steps
        rows = self._means.add(values[skipped:], secs * (1 - skipped / len(values)))
        return deque(self._row(after + every * count, metrics) for count, metrics in enumerate(rows, start=1))

    def _row(self, global_step: int, metrics: Mapping[str, float]) -> RunState:
        return RunState(self._length.epoch_at(global_step - 1), global_step, metrics)

    def state_dict(self) -> dict[str, Any]:
        """Returns N and the sums since the last row; {} where there are no rows."""
        every = self._every_n_steps
        return {} if every is None else {"every_n_steps": every, **self._means.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues between two rows, or starts anew where the state is that of another N."""
        same = state.get("every_n_steps") == self._every_n_steps
        self._means.load_state_dict(state if same and state else {"steps": 0, "sums": {}})
