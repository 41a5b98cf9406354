"""Metrics read from a file that grows, is cut by a resume, or was damaged by a kill."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from trainer.files import write_atomically
from trainer.runs.metric_file import MetricFile, Values

VALUES = st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1)


def lines(rows) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_lines_are_read_once_as_the_file_grows(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    file = MetricFile(path)
    file.read()
    assert (file.epoch, file.values) == (None, {})
    path.write_text(lines([{"epoch": 1, "global_step": 10, "loss": 0.5}]) + '{"epoch": 2, "lo')
    file.read()
    assert (file.epoch, file.values) == (1, {"loss": Values(0.5, 0.5, 0.5)})
    with path.open("a") as end:
        end.write('ss": 0.75}\n')
    file.read()
    assert (file.epoch, file.values) == (2, {"loss": Values(0.75, 0.5, 0.75)})


def test_a_file_that_a_resume_has_cut_is_read_again(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}, {"epoch": 3, "loss": 9.0}]))
    file = MetricFile(path)
    file.read()
    write_atomically(path, lines([{"epoch": 1, "loss": 2.0}]))
    file.read()
    assert (file.epoch, file.values) == (1, {"loss": Values(2.0, 2.0, 2.0)})


def test_what_is_no_row_of_an_epoch_counts_for_nothing(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    within = {"epoch": 1, "step_in_epoch": 7, "global_step": 17, "loss": 0.0}
    path.write_text('{"epoch": 1, "loss": 0.5}\n\x00\x00\n[1]\n"x"\n{"loss": "low", "ok": true}\n' + lines([within]))
    file = MetricFile(path)
    file.read()
    assert (file.epoch, file.values) == (1, {"loss": Values(0.5, 0.5, 0.5)})
    path.unlink()
    path.mkdir()
    file.read()
    assert (file.epoch, file.values) == (None, {})


@given(VALUES)
def test_values_are_those_of_the_whole_list(values) -> None:
    found = Values(None)
    for value in values:
        found = found.then(value)
    finite = [value for value in values if value is not None]
    assert found.of("last") == values[-1]
    assert found.of("min") == min(finite, default=None)
    assert found.of("max") == max(finite, default=None)
    assert all(each is None or math.isfinite(each) for each in (found.lowest, found.highest))
