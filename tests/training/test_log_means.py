"""Rows of means over every N steps: the same bits for any cutting of calls, and through a resume."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import timeless
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.training.log_means import LogMeans
from trainer.training.plan import RunLength

COLUMNS = MetricColumns(("loss", "recall", "auc"), pairs=("recall",), running=("auc",))


def some_values(seed: int, steps: int) -> np.ndarray[Any, Any]:
    """Returns metrics of steps: loss, recall in each batch, a running metric, then numerator and denominator."""
    return np.random.default_rng(seed).uniform(0, 9, size=(steps, len(COLUMNS.all))).astype(np.float32)


def bits(rows: Any) -> list[Any]:
    return [(row.epoch, row.global_step, timeless(row.metrics)) for row in rows]


@given(
    st.integers(0, 99), st.integers(1, 12), st.integers(1, 7), st.lists(st.integers(1, 25), max_size=8), st.booleans()
)
def test_rows_do_not_depend_on_the_calls_nor_on_a_resume(seed, every, steps_per_epoch, cuts, resumed) -> None:
    values, length = some_values(seed, 60), RunLength(100, steps_per_epoch)
    expected = bits(LogMeans(COLUMNS, length, every).add(0, values, 1.0))
    means, found, start = LogMeans(COLUMNS, length, every), [], 0
    for cut in [*cuts, 60]:
        call = values[start : start + cut]
        if len(call):
            found += bits(means.add(start, call, 1.0))
            start += len(call)
        if resumed:
            state = json.loads(json.dumps(means.state_dict()))
            means = LogMeans(COLUMNS, length, every)
            means.load_state_dict(state)
    assert found == expected
    assert [row[1] for row in found] == list(range(every, 61, every))


def test_a_row_has_the_mean_the_share_of_all_and_the_last_value() -> None:
    values = np.float32([[1, 0.5, 0.1, 1, 2], [3, 0, 0.2, 0, 8], [5, 1, 0.3, 4, 4], [7, 1, 0.4, 1, 1]])
    (row,) = LogMeans(COLUMNS, RunLength(2, 3), 4).add(0, values, 2.0)
    assert (row.epoch, row.global_step) == (1, 4)
    assert row.metrics == {"loss": 4.0, "recall": 6 / 15, "auc": np.float32(0.4), "steps_per_sec": 2.0}


def test_the_last_step_of_an_epoch_belongs_to_it() -> None:
    rows = LogMeans(COLUMNS, RunLength(3, 4), 2).add(0, some_values(1, 8), 1.0)
    assert [(row.epoch, row.global_step) for row in rows] == [(0, 2), (0, 4), (1, 6), (1, 8)]


def test_another_n_begins_at_its_next_multiple() -> None:
    values = some_values(2, 40)
    before = LogMeans(COLUMNS, RunLength(9, 9), 7)
    before.add(0, values[:10], 1.0)
    after = LogMeans(COLUMNS, RunLength(9, 9), 4)
    after.load_state_dict(before.state_dict())
    rows = [*after.add(10, values[10:11], 1.0), *after.add(11, values[11:25], 1.0), *after.add(25, values[25:], 1.0)]
    expected = [row for row in bits(LogMeans(COLUMNS, RunLength(9, 9), 4).add(0, values, 1.0)) if row[1] >= 16]
    assert bits(rows) == expected


def test_without_n_there_is_neither_a_row_nor_a_state() -> None:
    means = LogMeans(COLUMNS, RunLength(2, 3), None)
    assert (list(means.add(0, some_values(1, 6), 1.0)), means.state_dict()) == ([], {})
