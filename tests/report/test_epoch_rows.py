"""Numbers of metrics.jsonl: damaged lines, rows within epochs, curves that are thinned."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report.epoch_rows import Curve, metric_groups, read_rows, thinned, wants_log_scale

GOOD = '{"epoch": 1, "global_step": 10, "loss": 0.5}'


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        ("", []),
        (f"{GOOD}\n", [0.5]),
        (f'{GOOD}\n{{"epoch": 2, "global_st', [0.5]),
        (f"{GOOD}\n\n[1]\nnull\n3\n\x00\n", [0.5]),
        ('{"epoch": "1", "loss": 1}\n{"epoch": -1, "loss": 1}\n{"epoch": null}\n', []),
        ('{"epoch": 1, "loss": null}\n{"epoch": 2, "loss": NaN}\n', [math.nan, math.nan]),
        ('{"epoch": 1, "loss": "low"}\n{"epoch": 2, "loss": true}\n', [math.nan, math.nan]),
        (f'{{"epoch": 1, "loss": 1{"0" * 400}}}\n', [math.nan]),
        ('{"epoch": 1, "loss": 2}\n{"epoch": 1, "loss": 3}\n', [3.0]),
        ("[" * 100_000, []),
    ],
)
def test_what_can_be_read_is_read(tmp_path, text, losses) -> None:
    (tmp_path / "metrics.jsonl").write_text(text)
    found = read_rows(tmp_path / "metrics.jsonl").curve("loss").values
    assert [str(each) for each in found] == [str(each) for each in losses]


def test_a_file_that_is_not_there_or_not_text_has_no_rows(tmp_path) -> None:
    assert read_rows(tmp_path / "none").names == []
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\n" + GOOD.encode())
    assert read_rows(tmp_path / "bytes").names == ["loss"]
    assert read_rows(tmp_path).names == []


def test_rows_within_epochs_are_kept_apart(tmp_path) -> None:
    rows = [
        {"epoch": 0, "step_in_epoch": 5, "global_step": 5, "loss": 3.0},
        {"epoch": 1, "global_step": 10, "loss": 2.0, "secs_compute": 1.5, "secs_input": 0.0},
        {"epoch": 1, "step_in_epoch": 5, "global_step": 15, "loss": 1.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_rows(tmp_path / "metrics.jsonl")
    assert found.curve("loss") == Curve((1.0,), (2.0,))
    assert found.curve_inside("loss") == Curve((0.5, 1.5), (3.0, 1.0))
    assert found.totals() == {"compute": 1.5}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(rows[0]))
    assert read_rows(tmp_path / "metrics.jsonl").curve_inside("loss").epochs == (1.0,)


values = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=300)


@given(values, st.integers(4, 40))
def test_a_thinned_curve_keeps_its_extremes_and_ends(numbers, limit) -> None:
    curve = Curve(tuple(map(float, range(len(numbers)))), tuple(numbers))
    found = thinned(curve, limit)
    assert len(found.values) <= max(limit + 2, min(len(numbers), limit))
    assert list(found.epochs) == sorted(set(found.epochs))
    assert set(zip(found.epochs, map(str, found.values), strict=True)) <= set(
        zip(curve.epochs, map(str, curve.values), strict=True)
    )
    if curve.finite:
        assert (min(found.finite), max(found.finite)) == (min(curve.finite), max(curve.finite))
    assert found.epochs[:1] + found.epochs[-1:] == curve.epochs[:1] + curve.epochs[-1:]


def test_scales_and_groups() -> None:
    assert not wants_log_scale([])
    assert metric_groups(["steps_per_sec", "secs_compute", "learning_rate_g"]) == {}
    assert metric_groups(["big_loss", "loss", "val_big_loss"]) == {
        "loss": ["loss"],
        "big_loss": ["big_loss", "val_big_loss"],
    }
