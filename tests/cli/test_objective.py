"""The number that a job returns."""

from __future__ import annotations

import math
import types

import pytest

from callbacks.metrics import Metrics
from tests.cli.runs.making import LOSSES, make_run
from trainer.cli.objective import NAME, Objective, key_named
from trainer.config.choices import check_direction
from trainer.errors import RequestError, TrainerError

ROWS = [*LOSSES, {"epoch": 3, "loss": None, "step_in_epoch": 2}, {"epoch": 3, "loss": 0.75}]


@pytest.mark.parametrize(
    ("metric", "mode", "found"),
    [
        (None, "last", ("loss", 0.75)),
        (None, "min", ("loss", 0.25)),
        ("loss", "max", ("loss", 0.75)),
        ("val_accuracy", "last", ("val_accuracy", 0.75)),
        ("val_accuracy", "min", ("val_accuracy", 0.5)),
    ],
)
def test_the_number_is_that_of_the_run(tmp_path, metric, mode, found) -> None:
    objective = Objective(metric, mode)
    objective.directory = make_run(tmp_path / "x/1", rows=ROWS)
    assert objective.value() == found


def test_it_is_what_the_saver_monitors_unless_no_epoch_has_it(tmp_path) -> None:
    saver = {"prefix": "model", "mode": "max", "pinned": [], "keep_best": 1, "all_variables": True}
    for monitor, name in (("val_accuracy", "val_accuracy"), ("val_f1", "loss")):
        objective = Objective()
        objective.directory = make_run(tmp_path / monitor / "1", rows=ROWS, savers=[{**saver, "monitor": monitor}])
        assert objective.value()[0] == name


def test_without_a_file_of_metrics_it_is_in_run_json(tmp_path) -> None:
    objective = Objective("loss")
    objective.directory = make_run(tmp_path / "x/1")
    assert objective.value() == ("loss", 0.5)


def test_how_it_ended_is_that_of_the_run(tmp_path) -> None:
    objective = Objective()
    assert objective.ended() == "finished"
    objective.directory = make_run(tmp_path / "x/1", status="interrupted")  # paused by a limit of its own
    assert objective.ended() == "interrupted"
    objective.was_finished = True
    assert objective.ended() == "finished before"


def test_what_is_not_finite_is_nan(tmp_path) -> None:
    objective = Objective("loss")
    objective.directory = make_run(tmp_path / "x/1", rows=[{"epoch": 1, "loss": None}])
    name, value = objective.value()
    assert (name, value is not None and math.isnan(value)) == ("loss", True)


def test_a_metric_that_no_epoch_has_fails_the_job(tmp_path) -> None:
    objective = Objective("val_acuracy")
    objective.directory = make_run(tmp_path / "x/1", rows=ROWS)
    with pytest.raises(TrainerError, match=r"no epoch of .* has it; did you mean val_accuracy"):
        objective.value()
    objective = Objective()
    objective.directory = make_run(tmp_path / "y/1", metrics=None)
    assert objective.value() == ("", None)
    assert Objective("loss").value() == ("loss", None)


def test_a_value_over_all_epochs_needs_their_metrics() -> None:
    with pytest.raises(RequestError, match=r"sweep\.mode=min needs the metrics of all epochs"):
        Objective("loss", "min").beside({})
    assert list(Objective("loss", "min").beside({"m": Metrics()})) == ["m", NAME]
    assert list(Objective("loss").beside({})) == [NAME]


def test_a_metric_that_nothing_reports_is_told_by_its_key() -> None:
    build = types.SimpleNamespace(reported_metrics=("loss", "val_loss"))
    Objective("val_loss").on_build(build)
    with pytest.raises(ValueError, match="did you mean val_loss") as caught:
        Objective("val_los").on_build(build)
    with pytest.raises(RequestError, match=r"^sweep.metric \('val_los'\) is not known") as told, key_named():
        raise RequestError("callbacks.sweep.metric: x", argument=f"callbacks.{NAME}") from caught.value
    assert told.value.argument == NAME
    with pytest.raises(RequestError, match=r"^other$"), key_named():
        raise RequestError("other", argument="callbacks.mine")


@pytest.mark.parametrize(
    ("mode", "direction", "fits"),
    [
        ("last", "maximize", True),
        ("min", "minimize", True),
        ("max", "Direction.maximize", True),
        ("max", "minimize", False),
        ("min", "Direction.maximize", False),
        ("max", None, True),
        ("max", ["minimize", "maximize"], True),
    ],
)
def test_a_study_looks_for_the_same_end(mode, direction, fits) -> None:
    if fits:
        check_direction(mode, {"direction": direction} if direction else {})
        return
    with pytest.raises(RequestError, match=r"contradict each other; set hydra\.sweeper\.direction="):
        check_direction(mode, {"direction": direction})
